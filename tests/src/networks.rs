//! Networks in the shape of well-known ones, with seeded random weights: ONNX files of any size without a download.
//!
//! Activations are squares, pools are averages. Weights are small and biases moderate, so that values stay below one
//! through any number of squares and do not vanish.

use crate::onnx_bytes::{Attribute, Model};

/// ResNet-50 on images of `size` by `size`, all widths divided by `width_divisor`, with 1000 classes.
pub fn resnet50(size: u32, width_divisor: u32) -> Vec<u8> {
    let mut net = Network::new(size);
    let width = |w: u32| (w / width_divisor).max(1);
    net.convolution(width(64), 7, 2);
    net.square();
    net.pool(3, 2, 1);
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            net.residual(stride, block == 0, width(256 << stage), |net| {
                net.convolution(width(64 << stage), 1, 1);
                net.square();
                net.convolution(width(64 << stage), 3, stride);
                net.square();
                net.convolution(width(256 << stage), 1, 1);
            });
        }
    }
    net.classifier(1000)
}

/// ResNet-20 on images of 32 by 32, with 10 classes.
pub fn resnet20() -> Vec<u8> {
    basic_resnet(&[3, 3, 3], 16)
}

/// ResNet-8, of half the usual width, on images of 32 by 32, with 10 classes.
pub fn resnet8() -> Vec<u8> {
    basic_resnet(&[1, 1, 1], 8)
}

/// The same with other weights for each seed.
pub fn resnet8_of(seed: u64) -> Vec<u8> {
    let mut net = Network::new(32);
    net.state = seed;
    net.basic_resnet(&[1, 1, 1], 8)
}

/// Some convolutions of so many channels with squares between, on images of `size` by `size`, with 10 classes; other weights for
/// each seed.
pub fn convolutions(seed: u64, size: u32, widths: &[u32]) -> Vec<u8> {
    let mut net = Network::new(size);
    net.state = seed;
    for &width in widths {
        net.convolution(width, 3, 1);
        net.square();
    }
    net.classifier(10)
}

/// ResNet-32 on images of 32 by 32, with 10 classes.
pub fn resnet32() -> Vec<u8> {
    basic_resnet(&[5, 5, 5], 16)
}

/// ResNet-18 on images of 32 by 32, with 10 classes: the form for small images, whose first convolution is 3 by 3.
pub fn resnet18() -> Vec<u8> {
    basic_resnet(&[2, 2, 2, 2], 64)
}

/// Stages of so many blocks of two 3x3 convolutions; each stage but the first halves the image and doubles the width.
fn basic_resnet(blocks: &[u32], width: u32) -> Vec<u8> {
    Network::new(32).basic_resnet(blocks, width)
}

/// SqueezeNet 1.1 on images of `size` by `size`, all widths divided by `width_divisor`, with 1000 classes.
pub fn squeezenet(size: u32, width_divisor: u32) -> Vec<u8> {
    let mut net = Network::new(size);
    let width = |w: u32| (w / width_divisor).max(1);
    net.convolution(width(64), 3, 2);
    net.square();
    for (squeezed, repeats, pooled) in [(16, 2, true), (32, 2, true), (48, 2, true), (64, 2, false)]
    {
        if pooled {
            net.pool(3, 2, 0);
        }
        for _ in 0..repeats {
            net.fire(width(squeezed), width(4 * squeezed));
        }
    }
    net.convolution(1000, 1, 1);
    net.square();
    net.value = net.model.node("GlobalAveragePool", &[&net.value], &[]);
    net.finish(1000)
}

/// A U-Net on images of `size` by `size`: as many times as there are widths but one the image is halved and later doubled, where it
/// meets what it was before; `convolutions` at each extent on either side; two classes for each pixel.
pub fn unet(size: u32, widths: &[u32], convolutions: usize) -> Vec<u8> {
    let mut net = Network::new(size);
    let mut skips = Vec::new();
    for (i, &width) in widths.iter().enumerate() {
        if i > 0 {
            net.pool(2, 2, 0);
        }
        net.convolutions(width, convolutions);
        skips.push((net.value.clone(), net.channels, width));
    }
    skips.pop();
    for (skip, channels, width) in skips.into_iter().rev() {
        net.double();
        net.join(&skip, channels);
        net.convolutions(width, convolutions);
    }
    net.convolution(2, 1, 1);
    net.model.output(&net.value, &[1, 2, size, size]);
    net.model.finish()
}

/// A model under construction, the image it works on, and the last value.
struct Network {
    model: Model,
    value: String,
    channels: u32,
    extent: u32,
    weights: usize,
    state: u64,
}

impl Network {
    fn new(size: u32) -> Self {
        let mut model = Model::default();
        model.input("image", &[1, 3, size, size]);
        Self {
            model,
            value: "image".to_owned(),
            channels: 3,
            extent: size,
            weights: 0,
            state: 1,
        }
    }

    /// A tensor of numbers in `mean - spread .. mean + spread`.
    fn weight(&mut self, dims: &[u32], mean: f32, spread: f32) -> String {
        let name = format!("w{}", self.weights);
        self.weights += 1;
        let state = &mut self.state;
        let numbers = (0..dims.iter().product()).map(|_| {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            mean + spread * ((*state >> 40) as f32 / (1 << 23) as f32 - 1.0)
        });
        self.model.weight(&name, dims, numbers)
    }

    /// See the function of this name.
    fn basic_resnet(mut self, blocks: &[u32], width: u32) -> Vec<u8> {
        self.convolution(width, 3, 1);
        self.square();
        for (stage, &blocks) in blocks.iter().enumerate() {
            for block in 0..blocks {
                let widens = stage > 0 && block == 0;
                let (stride, width) = (1 + u32::from(widens), width << stage);
                self.residual(stride, widens, width, |net| {
                    net.convolution(width, 3, stride);
                    net.square();
                    net.convolution(width, 3, 1);
                });
            }
        }
        self.classifier(10)
    }

    /// A convolution that keeps the extent but for its stride, and a batch normalisation.
    fn convolution(&mut self, channels: u32, kernel: u32, stride: u32) {
        let fan_in = self.channels * kernel * kernel;
        let dims = [channels, self.channels, kernel, kernel];
        let weight = self.weight(&dims, 0.0, 0.6 / (fan_in as f32).sqrt());
        let pad = (kernel - 1) / 2;
        let attributes = [
            Attribute::Ints("kernel_shape", &[kernel; 2]),
            Attribute::Ints("strides", &[stride; 2]),
            Attribute::Ints("pads", &[pad; 4]),
        ];
        let value = self
            .model
            .node("Conv", &[&self.value, &weight], &attributes);
        let statistics = [(1.0, 0.25), (0.0, 0.25), (0.0, 0.1), (1.0, 0.5)];
        let [scale, shift, mean, variance] =
            statistics.map(|(mean, spread)| self.weight(&[channels], mean, spread));
        let inputs = [&value, &scale, &shift, &mean, &variance].map(String::as_str);
        self.value = self.model.node("BatchNormalization", &inputs, &[]);
        self.channels = channels;
        self.slide(kernel, stride, pad);
    }

    /// Convolutions of a width with a square after each.
    fn convolutions(&mut self, width: u32, count: usize) {
        for _ in 0..count {
            self.convolution(width, 3, 1);
            self.square();
        }
    }

    /// The image at twice the extent, each pixel four times.
    fn double(&mut self) {
        let name = format!("w{}", self.weights);
        self.weights += 1;
        let scales = [1.0, 1.0, 2.0, 2.0].into_iter();
        let scales = self.model.weight(&name, &[4], scales);
        let inputs = [&self.value, "", &scales];
        let attributes = [
            Attribute::Text("mode", "nearest"),
            Attribute::Text("nearest_mode", "floor"),
            Attribute::Text("coordinate_transformation_mode", "asymmetric"),
        ];
        self.value = self.model.node("Resize", &inputs, &attributes);
        self.extent *= 2;
    }

    /// The value with the channels of another one behind its own.
    fn join(&mut self, other: &str, channels: u32) {
        let parts = [&self.value, other];
        let axis = [Attribute::Int("axis", 1)];
        self.value = self.model.node("Concat", &parts, &axis);
        self.channels += channels;
    }

    fn square(&mut self) {
        self.value = self.model.node("Mul", &[&self.value, &self.value], &[]);
    }

    fn pool(&mut self, kernel: u32, stride: u32, pad: u32) {
        let attributes = [
            Attribute::Ints("kernel_shape", &[kernel; 2]),
            Attribute::Ints("strides", &[stride; 2]),
            Attribute::Ints("pads", &[pad; 4]),
            Attribute::Int("count_include_pad", 1),
        ];
        self.value = self.model.node("AveragePool", &[&self.value], &attributes);
        self.slide(kernel, stride, pad);
    }

    fn slide(&mut self, kernel: u32, stride: u32, pad: u32) {
        self.extent = (self.extent + 2 * pad - kernel) / stride + 1;
    }

    /// The square of the sum of a branch and the value, the latter through a 1x1 convolution where `projects`.
    fn residual(
        &mut self,
        stride: u32,
        projects: bool,
        channels: u32,
        branch: impl FnOnce(&mut Self),
    ) {
        let start = (self.value.clone(), self.channels, self.extent);
        branch(self);
        let end = (self.value.clone(), self.channels, self.extent);
        (self.value, self.channels, self.extent) = start;
        if projects {
            self.convolution(channels, 1, stride);
        }
        self.value = self.model.node("Add", &[&end.0, &self.value], &[]);
        (self.channels, self.extent) = (end.1, end.2);
        self.square();
    }

    /// A squeezing convolution and two expanding ones, put together.
    fn fire(&mut self, squeezed: u32, expanded: u32) {
        self.convolution(squeezed, 1, 1);
        self.square();
        let narrow = self.value.clone();
        let mut parts = Vec::new();
        for kernel in [1, 3] {
            (self.value, self.channels) = (narrow.clone(), squeezed);
            self.convolution(expanded, kernel, 1);
            self.square();
            parts.push(self.value.clone());
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.value = self
            .model
            .node("Concat", &parts, &[Attribute::Int("axis", 1)]);
        self.channels = 2 * expanded;
    }

    /// A mean over the image and a fully connected layer.
    fn classifier(mut self, classes: u32) -> Vec<u8> {
        self.value = self.model.node("GlobalAveragePool", &[&self.value], &[]);
        self.value = self.model.node("Flatten", &[&self.value], &[]);
        let spread = 0.6 / (self.channels as f32).sqrt();
        let weight = self.weight(&[classes, self.channels], 0.0, spread);
        let bias = self.weight(&[classes], 0.0, 0.1);
        let transposed = [Attribute::Int("transB", 1)];
        self.value = self
            .model
            .node("Gemm", &[&self.value, &weight, &bias], &transposed);
        self.finish(classes)
    }

    fn finish(mut self, classes: u32) -> Vec<u8> {
        self.value = self.model.node("Flatten", &[&self.value], &[]);
        self.model.output(&self.value, &[1, classes]);
        self.model.finish()
    }
}
