//! What the transforms of all vector lengths share: how stages are divided into passes, and the factors of a pass.

/// How many stages a pass over a block of `2^log` words does, of those above the last `last`, which are done in registers: the least
/// number of passes, the longer ones first.
pub(super) fn stages(log: u32, last: u32) -> u32 {
    let left = log - last;
    left.div_ceil(left.div_ceil(3))
}

/// The factors of the stages of a pass over block `at`, numbered as if it were the only one.
pub(super) fn pass_factors<const PARTS: usize, F: Copy + Default>(
    w: impl Fn(usize) -> F,
    at: usize,
) -> [F; PARTS] {
    let mut factors = [F::default(); PARTS];
    for (k, factor) in factors.iter_mut().enumerate().skip(1) {
        let stage = k.ilog2();
        *factor = w((at << stage) + k - (1 << stage));
    }
    factors
}

/// Repeats a block for each butterfly of a pass: loops of this size are not unrolled by themselves, and only then do the
/// operands stay in registers.
macro_rules! unrolled {
    ($j:ident => $body:block) => {
        unrolled!($j => $body, 0 1 2 3)
    };
    ($j:ident => $body:block, $($value:literal)*) => {
        $({
            const $j: usize = $value;
            $body
        })*
    };
}
pub(super) use unrolled;
