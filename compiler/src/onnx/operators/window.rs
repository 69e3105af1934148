//! Windows over images: what convolution and pooling share, one-dimensional ones as images of height 1.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::Call;
use crate::onnx::problems::Problem;
use peregrine_ir::linear::Window;

/// Keeps every product of two extents inside 32 bits.
pub(in crate::onnx) const MAX_EXTENT: u32 = 0x7fff;

/// An image `[N, C, H, W]`, and whether the model writes it without `H`.
pub(in crate::onnx) struct Image {
    pub(in crate::onnx) dims: [u32; 4],
    pub(in crate::onnx) flat: bool,
}

impl Image {
    pub(in crate::onnx) fn new(dims: &[u32]) -> Result<Self, Problem> {
        match *dims {
            [n, c, w] => Ok(Self {
                dims: [n, c, 1, w],
                flat: true,
            }),
            [n, c, h, w] => Ok(Self {
                dims: [n, c, h, w],
                flat: false,
            }),
            _ => Err(Problem::Mismatch {
                what: "number of spatial axes",
                found: dims.len().saturating_sub(2).to_string(),
                expected: "1 or 2".to_owned(),
            }),
        }
    }

    pub(in crate::onnx) fn channels(&self) -> u32 {
        self.dims[1]
    }

    /// Height and width.
    pub(in crate::onnx) fn extents(&self) -> [u32; 2] {
        [self.dims[2], self.dims[3]]
    }

    /// The dimensions of a result as the model writes them.
    pub(in crate::onnx) fn unpadded(&self, [n, c, h, w]: [u32; 4]) -> Vec<u32> {
        if self.flat {
            vec![n, c, w]
        } else {
            vec![n, c, h, w]
        }
    }

    /// `[h, w]` of an attribute with one number per spatial axis.
    pub(in crate::onnx) fn pair(
        &self,
        call: &Call,
        name: &'static str,
        default: u32,
    ) -> Result<[u32; 2], Problem> {
        let list = call.ints(name)?.map(<[i64]>::to_vec);
        let pair = match (list.as_deref(), self.flat) {
            (None, _) => [i64::from(default); 2],
            (Some(&[w]), true) => [i64::from(default), w],
            (Some(&[h, w]), false) => [h, w],
            (Some(list), _) => return Err(self.length(name, list)),
        };
        let [h, w] = pair.map(|v| extent(name, v, default));
        Ok([h?, w?])
    }

    fn length(&self, name: &'static str, list: &[i64]) -> Problem {
        Problem::Attribute {
            name,
            found: format!("{list:?}"),
            supported: "one number per spatial axis (two in `pads`)",
        }
    }

    /// Explicit paddings `([top, left], [bottom, right])`.
    pub(in crate::onnx) fn explicit_pads(
        &self,
        call: &Call,
    ) -> Result<([u32; 2], [u32; 2]), Problem> {
        let list = call.ints("pads")?;
        let (begin, end) = match (list, self.flat) {
            (None, _) => ([0, 0], [0, 0]),
            (Some(&[left, right]), true) => ([0, left], [0, right]),
            (Some(&[top, left, bottom, right]), false) => ([top, left], [bottom, right]),
            (Some(list), _) => return Err(self.length("pads", list)),
        };
        let [top, left] = begin.map(|v| extent("pads", v, 0));
        let [bottom, right] = end.map(|v| extent("pads", v, 0));
        Ok(([top?, left?], [bottom?, right?]))
    }
}

/// Where paddings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum AutoPad {
    /// They are stated.
    Explicit,
    /// There are none.
    Valid,
    /// They give as many positions as there are strides in the image, the larger half of an odd padding last or first.
    Same(Odd),
}

/// Where an odd padding has its larger half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum Odd {
    /// After the image.
    Upper,
    /// Before the image.
    Lower,
}

impl AutoPad {
    /// Attribute `auto_pad`, next to which `pads` that are not 0 would say something else.
    pub(in crate::onnx) fn new(call: &Call) -> Result<Self, Problem> {
        let name = call.string_or("auto_pad", "NOTSET")?;
        let mode = match name.as_str() {
            "" | "NOTSET" => Self::Explicit,
            "VALID" => Self::Valid,
            "SAME_UPPER" => Self::Same(Odd::Upper),
            "SAME_LOWER" => Self::Same(Odd::Lower),
            _ => {
                return Err(Problem::Attribute {
                    name: "auto_pad",
                    found: name,
                    supported: "NOTSET, VALID, SAME_UPPER, SAME_LOWER",
                });
            }
        };
        let pads = call.ints("pads")?.unwrap_or(&[]);
        if mode != Self::Explicit && pads.iter().any(|&p| p != 0) {
            return Err(Problem::Attribute {
                name: "pads",
                found: format!("{pads:?} next to `auto_pad`"),
                supported: "one of the two",
            });
        }
        Ok(mode)
    }
}

/// A number that counts pixels, at least `least`.
fn extent(name: &'static str, value: i64, least: u32) -> Result<u32, Problem> {
    u32::try_from(value)
        .ok()
        .filter(|&v| v >= least && v <= MAX_EXTENT)
        .ok_or(Problem::Attribute {
            name,
            found: value.to_string(),
            supported: if least == 0 {
                "0 to 32767"
            } else {
                "1 to 32767"
            },
        })
}

/// The kernel, checked against the attribute that repeats it.
pub(in crate::onnx) fn kernel(
    call: &Call,
    image: &Image,
    weight: &[u32],
) -> Result<[u32; 2], Problem> {
    let kernel = match (weight, image.flat) {
        (&[_, _, w], true) => [1, w],
        (&[_, _, h, w], false) => [h, w],
        _ => {
            return Err(Problem::Mismatch {
                what: "the kernel's shape",
                found: format!("{weight:?}"),
                expected: format!("rank {}", if image.flat { 3 } else { 4 }),
            });
        }
    };
    if call.ints("kernel_shape")?.is_some_and(|k| !k.is_empty()) {
        let stated = image.pair(call, "kernel_shape", 1)?;
        if stated != kernel {
            return Err(Problem::Mismatch {
                what: "attribute `kernel_shape`",
                found: format!("{stated:?}"),
                expected: format!("{kernel:?}, as the kernel has it"),
            });
        }
    }
    Ok(kernel)
}

/// A window with the paddings after the image and the number of its positions.
pub(in crate::onnx) struct Sweep {
    pub(in crate::onnx) window: Window,
    /// `[bottom, right]`.
    pub(in crate::onnx) end: [u32; 2],
    /// Positions `[h, w]`.
    pub(in crate::onnx) positions: [u32; 2],
}

/// What moves over the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::onnx) enum Kernel {
    /// Weights.
    Weights,
    /// A mean; with `ceil_mode` a last window that is not full counts.
    Pool { ceil: bool },
}

impl Kernel {
    fn ceil(self) -> bool {
        self == Self::Pool { ceil: true }
    }
}

impl Sweep {
    /// Reads strides, dilations and paddings of `call`.
    pub(in crate::onnx) fn new(
        call: &Call,
        image: &Image,
        kernel: [u32; 2],
        kind: Kernel,
    ) -> Result<Self, Problem> {
        let strides = image.pair(call, "strides", 1)?;
        let dilations = image.pair(call, "dilations", 1)?;
        let auto_pad = AutoPad::new(call)?;
        let (begin, end) = image.explicit_pads(call)?;
        let axis = |a: usize| -> Result<Axis, Problem> {
            let pick = |pair: [u32; 2]| i64::from(if a == 0 { pair[0] } else { pair[1] });
            let line = Line {
                input: pick(image.extents()),
                kernel: pick(kernel),
                dilation: pick(dilations),
                stride: pick(strides),
            };
            match auto_pad {
                AutoPad::Explicit => {
                    let pads = (pick(begin), pick(end));
                    if kind != Kernel::Weights {
                        line.check_pool(pads)?;
                    }
                    line.explicit(pads, kind.ceil())
                }
                AutoPad::Valid => line.valid(kind.ceil()),
                AutoPad::Same(odd) => line.same(odd, kind),
            }
        };
        let (h, w) = (axis(0)?, axis(1)?);
        Ok(Self {
            window: Window {
                kernel,
                strides,
                pads: [h.begin, w.begin],
                dilations,
            },
            end: [h.end, w.end],
            positions: [h.positions, w.positions],
        })
    }
}

/// One spatial axis of a [`Sweep`].
struct Axis {
    begin: u32,
    end: u32,
    positions: u32,
}

/// A window of `kernel` pixels, `dilation` apart, moving over a line of `input` pixels by `stride`.
struct Line {
    input: i64,
    kernel: i64,
    dilation: i64,
    stride: i64,
}

impl Line {
    /// Pixels from the first to the last of the window.
    fn reach(&self) -> i64 {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Refuses paddings as large as the kernel, with which the mean of nothing would be asked for.
    fn check_pool(&self, (begin, end): (i64, i64)) -> Result<(), Problem> {
        if begin < self.kernel && end < self.kernel {
            return Ok(());
        }
        Err(Problem::Mismatch {
            what: "attribute `pads`",
            found: begin.max(end).to_string(),
            expected: format!("less than {}, the size of the kernel", self.kernel),
        })
    }

    /// Its positions with these paddings.
    fn explicit(&self, (begin, end): (i64, i64), ceil: bool) -> Result<Axis, Problem> {
        let (input, stride, reach) = (self.input, self.stride, self.reach());
        let room = input + begin + end - reach;
        let mut positions = room.div_euclid(stride) + 1;
        if ceil && room >= 0 {
            positions = (room + stride - 1) / stride + 1;
            // A window that starts after the image is not one.
            if (positions - 1) * stride >= input + begin {
                positions -= 1;
            }
        }
        if room < 0 || positions < 1 {
            return Err(Problem::Mismatch {
                what: "the window",
                found: format!("{reach} pixels"),
                expected: format!("at most {} (the padded image)", input + begin + end),
            });
        }
        Ok(Axis {
            begin: begin as u32,
            end: end.max(0) as u32,
            positions: positions as u32,
        })
    }

    /// Its positions without padding; ONNX gives two formulas for `ceil_mode`, which must agree.
    fn valid(&self, ceil: bool) -> Result<Axis, Problem> {
        let axis = self.explicit((0, 0), ceil)?;
        if axis.positions == self.explicit((0, 0), false)?.positions {
            return Ok(axis);
        }
        Err(Problem::Attribute {
            name: "auto_pad",
            found: "VALID where `ceil_mode` adds a window".to_owned(),
            supported: "explicit `pads` there",
        })
    }

    /// Paddings for as many positions as there are strides in the image.
    ///
    /// The paddings of a pool do not count its dilations, as in ONNX Runtime; the number of positions follows from them.
    /// Where strides leave pixels out on both sides of the window, implementations do not agree where it starts.
    fn same(&self, odd: Odd, kind: Kernel) -> Result<Axis, Problem> {
        let (input, stride) = (self.input, self.stride);
        let reach = match kind {
            Kernel::Weights => self.reach(),
            Kernel::Pool { .. } => self.kernel,
        };
        let total = ((input + stride - 1) / stride - 1) * stride + reach - input;
        if total < -1 {
            return Err(Problem::Attribute {
                name: "auto_pad",
                found: format!(
                    "SAME where the stride {stride} leaves out {} pixels",
                    -total
                ),
                supported: "explicit `pads` there",
            });
        }
        extent("auto_pad", total.max(0), 0)?;
        let begin = match odd {
            Odd::Upper => total / 2,
            Odd::Lower => (total + 1) / 2,
        };
        self.explicit((begin, total - begin), kind.ceil())
    }
}
