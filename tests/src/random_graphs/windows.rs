//! Convolutions and pools.

use super::{Choices, MOST_MACS, Network, fits};
use crate::builder::{Table, straight};
use peregrine_ir::TensorId;
use peregrine_ir::linear::{AveragePool, Conv2d, LinearKind, Window};

/// A window moving along one axis.
#[derive(Clone, Copy)]
struct Line {
    kernel: u32,
    stride: u32,
    dilation: u32,
    begin: u32,
    end: u32,
    positions: u32,
}

impl Line {
    /// A window of up to `most` pixels over `extent`; `ceil` counts a last window that is not full.
    fn new(choices: &mut Choices<'_>, extent: u32, most: u32, ceil: bool) -> Option<Self> {
        let kernel = 1 + choices.below(most);
        let stride = if choices.one_in(2) {
            1 + choices.below(3)
        } else {
            1
        };
        let dilation = if choices.one_in(4) { 2 } else { 1 };
        let reach = (kernel - 1) * dilation + 1;
        let (begin, end) = match choices.below(3) {
            0 => (reach / 2, reach / 2),
            1 => (choices.below(reach), choices.below(reach)),
            _ => (0, 0),
        };
        let room = (extent + begin + end).checked_sub(reach)?;
        let mut positions = room / stride + 1;
        // A window that starts after the image is not one.
        if ceil && !room.is_multiple_of(stride) && positions * stride < extent + begin {
            positions += 1;
        }
        Some(Self {
            kernel,
            stride,
            dilation,
            begin,
            end,
            positions,
        })
    }
}

fn window([h, w]: [Line; 2]) -> Window {
    Window {
        kernel: [h.kernel, w.kernel],
        strides: [h.stride, w.stride],
        pads: [h.begin, w.begin],
        dilations: [h.dilation, w.dilation],
    }
}

impl Network {
    pub(super) fn convolution(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, h, w] = dims;
        let h = Line::new(choices, h, 5, false)?;
        let w = Line::new(choices, w, 5, false)?;
        let groups = groups(choices, c);
        let m = groups * (1 + choices.below(3));
        let output = [n, m, h.positions, w.positions];
        let taps = c / groups * h.kernel * w.kernel;
        let macs = output.iter().product::<u32>() * taps;
        if !fits(&output) || macs as usize > MOST_MACS {
            return None;
        }
        self.note_window([h, w]);
        self.note_groups(groups, c);
        let weight = self.kernel(&[m, c / groups, h.kernel, w.kernel]);
        let bias = choices
            .one_in(2)
            .then(|| self.builder.weights(&[m, 1, 1], 0.2));
        let kind = LinearKind::Conv2d(Conv2d {
            weight,
            window: window([h, w]),
            groups,
        });
        self.builder.linear(kind, x, &output, bias);
        Some(())
    }

    pub(super) fn pool(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, h, w] = dims;
        let ceil = choices.one_in(2);
        let h = Line::new(choices, h, 4, ceil)?;
        let w = Line::new(choices, w, 4, ceil)?;
        let output = [n, c, h.positions, w.positions];
        if !fits(&output) {
            return None;
        }
        self.note_window([h, w]);
        let counts = choices.one_in(2);
        self.features.insert(match (ceil, counts) {
            (false, false) => "pool",
            (false, true) => "pool, padding counts",
            (true, false) => "pool, ceil mode",
            (true, true) => "pool, ceil mode, padding counts",
        });
        let kind = LinearKind::AveragePool(AveragePool {
            window: window([h, w]),
            padding_counts: counts.then_some([h.end, w.end]),
        });
        self.builder.linear(kind, x, &output, None);
        Some(())
    }

    pub(super) fn global_pool(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, h, w] = dims;
        let kind = LinearKind::AveragePool(AveragePool {
            window: Window {
                kernel: [h, w],
                strides: [1, 1],
                pads: [0, 0],
                dilations: [1, 1],
            },
            padding_counts: None,
        });
        self.features.insert("global pool");
        self.builder.linear(kind, x, &[n, c, 1, 1], None);
        Some(())
    }

    /// As the front end makes it: zeros between the pixels, then a convolution.
    pub(super) fn transposed_convolution(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, ..] = dims;
        let h = Spread::new(choices, dims[2])?;
        let w = Spread::new(choices, dims[3])?;
        let groups = groups(choices, c);
        let m = groups * (1 + choices.below(2));
        let spread = [n, c, h.table.len() as u32, w.table.len() as u32];
        let output = [n, m, h.output, w.output];
        let taps = c / groups * h.kernel * w.kernel;
        let macs = output.iter().product::<u32>() * taps;
        if !fits(&spread) || !fits(&output) || macs as usize > MOST_MACS {
            return None;
        }
        self.features.insert("transposed convolution");
        self.note_groups(groups, c);
        let window = Window {
            kernel: [h.kernel, w.kernel],
            strides: [1, 1],
            pads: [h.pad, w.pad],
            dilations: [h.dilation, w.dilation],
        };
        let spread = if h.is_straight(dims[2]) && w.is_straight(dims[3]) {
            x
        } else {
            self.builder.along(x, vec![(2, h.table), (3, w.table)])
        };
        let weight = self.kernel(&[m, c / groups, h.kernel, w.kernel]);
        let kind = LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups,
        });
        self.builder.linear(kind, spread, &output, None);
        Some(())
    }

    /// Weights that keep the size of values.
    fn kernel(&mut self, dims: &[u32; 4]) -> TensorId {
        let fan_in: u32 = dims.iter().skip(1).product();
        self.builder.weights(dims, 1.0 / f64::from(fan_in).sqrt())
    }

    fn note_window(&mut self, lines: [Line; 2]) {
        for line in lines {
            let asymmetric = line.begin != line.end;
            let notes = [
                (line.stride == 2, "stride 2"),
                (line.stride == 3, "stride 3"),
                (line.dilation == 2 && line.kernel > 1, "dilation 2"),
                (asymmetric, "asymmetric pads"),
            ];
            let notes = notes.iter().filter(|(holds, _)| *holds);
            self.features.extend(notes.map(|(_, name)| name));
        }
    }

    fn note_groups(&mut self, groups: u32, channels: u32) {
        if groups == channels && channels > 1 {
            self.features.insert("depthwise");
        } else if groups > 1 {
            self.features.insert("groups");
        }
    }
}

/// A divisor of the channels: 1 or 2 or all of them.
fn groups(choices: &mut Choices<'_>, channels: u32) -> u32 {
    match choices.below(4) {
        2 if channels.is_multiple_of(2) => 2,
        3 => channels,
        _ => 1,
    }
}

/// One axis of a transposed convolution.
struct Spread {
    kernel: u32,
    dilation: u32,
    /// Input pixel per pixel of the spread image.
    table: Table,
    pad: u32,
    output: u32,
}

impl Spread {
    /// Whether it leaves an axis as it is.
    fn is_straight(&self, extent: u32) -> bool {
        self.table == straight(extent)
    }

    fn new(choices: &mut Choices<'_>, extent: u32) -> Option<Self> {
        let (stride, kernel) = (1 + choices.below(3), 1 + choices.below(4));
        let dilation = if choices.one_in(4) { 2 } else { 1 };
        let reach = (kernel - 1) * dilation;
        let extra = choices.below(stride);
        let (begin, end) = (choices.below(reach + 2), choices.below(reach + 2));
        let full = (extent - 1) * stride + extra + reach + 1;
        let output = full.checked_sub(begin + end).filter(|&o| o > 0)?;
        let cut = begin.saturating_sub(reach);
        let spread = cut..=(extent - 1) * stride;
        let table: Vec<_> = spread
            .map(|i| i.is_multiple_of(stride).then_some(i / stride))
            .collect();
        Some(Self {
            kernel,
            dilation,
            table: if table.is_empty() { vec![None] } else { table },
            pad: reach.saturating_sub(begin),
            output,
        })
    }
}
