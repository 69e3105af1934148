//! How far a raised message wraps around: the integers `I` in `m + q_0 I`, and how rarely they are large.
//!
//! Under a secret with `h` coefficients of ±1 and all others 0, `I` is the sum of `h` uniform variables on `[-1/2, 1/2]`, rounded to
//! an integer after it is shifted by `m / q_0`: the second part of a ciphertext is uniform modulo `q_0`, and the first one is reduced.
//! So tails are those of the Irwin-Hall distribution. They are computed from B-splines, whose recurrence adds positive numbers only:
//! no digits are lost however small a tail is.

/// The weight of a sparse secret: how many of its coefficients are not 0.
pub type Weight = u32;

/// The probability that a sum of `h` independent uniform variables on `[-1/2, 1/2]` is above `x`. Cost: O(h^2).
pub fn uniform_sum_above(h: Weight, x: f64) -> f64 {
    // The sum is below -x as often; counted from its least value, it is below `t`.
    let t = f64::from(h) / 2.0 - x;
    if t <= 0.0 {
        return 0.0;
    }
    // The distribution function of a sum of h is the sum of the B-splines of order h + 1 at t, t - 1, t - 2, ...
    let steps = (t.ceil() as u32).min(h + 1);
    let splines = (0..steps).map(|j| b_spline(h + 1, t - f64::from(j)));
    splines.sum::<f64>().min(1.0)
}

/// The cardinal B-spline of an order, the density of a sum of so many uniform variables on `[0, 1]`, at a point.
fn b_spline(order: u32, x: f64) -> f64 {
    // Row k of the recurrence has the values of order k at x, x - 1, x - 2, ...
    let at = |j: usize| x - j as f64;
    let count = order as usize;
    let mut row: Vec<f64> = (0..count)
        .map(|j| f64::from(u8::from((0.0..1.0).contains(&at(j)))))
        .collect();
    for k in 2..=order {
        let k = f64::from(k);
        let weighted = |(j, pair): (usize, &[f64])| {
            let y = at(j);
            match pair {
                &[here, next] => (y * here + (k - y) * next) / (k - 1.0),
                _ => 0.0,
            }
        };
        row = row.windows(2).enumerate().map(weighted).collect();
        row.push(0.0);
        // Outside of its support a spline is 0; the recurrence there would subtract.
        for (j, value) in row.iter_mut().enumerate() {
            if !(0.0..k).contains(&at(j)) {
                *value = 0.0;
            }
        }
    }
    row.first().copied().unwrap_or(0.0)
}

/// log2 of the probability that one of `coefficients` wraps by more than `k` in one refresh, under a secret of weight `h`, for messages
/// of at most `2^-ratio_bits` of `q_0`; `-inf` where it cannot happen.
pub fn failure_bits(h: Weight, k: u32, ratio_bits: f64, coefficients: u64) -> f64 {
    let message = (-ratio_bits).exp2();
    let edge = f64::from(k) + 0.5;
    // The worst message helps on one side and hinders on the other.
    let one = uniform_sum_above(h, edge - message) + uniform_sum_above(h, edge + message);
    one.log2() + (coefficients as f64).log2()
}

/// The probability that one coefficient wraps by exactly `i` in absolute value, for a message of 0.
pub fn wrap_probability(h: Weight, i: u32) -> f64 {
    let i = f64::from(i);
    match i {
        0.0 => 1.0 - 2.0 * uniform_sum_above(h, 0.5),
        _ => 2.0 * (uniform_sum_above(h, i - 0.5) - uniform_sum_above(h, i + 0.5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tail of one, two and three variables, by hand.
    #[test]
    fn small_sums_have_the_tails_of_their_triangles() {
        let close = |x: f64, y: f64| assert!((x - y).abs() < 1e-15, "{x} {y}");
        close(uniform_sum_above(1, 0.25), 0.25);
        close(uniform_sum_above(2, 0.5), 0.125);
        close(uniform_sum_above(2, -0.5), 0.875);
        close(uniform_sum_above(3, 1.0), 0.5f64.powi(3) / 6.0);
        close(uniform_sum_above(3, 0.0), 0.5);
        close(uniform_sum_above(3, 2.0), 0.0);
    }

    /// The figures of the design, for 2^16 coefficients and messages of 2^-5 of q_0.
    #[test]
    fn tails_are_those_of_exact_arithmetic() {
        let cases = [
            (24, 11, -84.9),
            (28, 11, -43.8),
            (28, 12, -64.3),
            (28, 13, -107.5),
            (32, 11, -31.2),
            (32, 13, -58.3),
            (32, 14, -81.7),
            (32, 15, -130.8),
            (40, 14, -43.8),
            (40, 18, -118.3),
        ];
        for (h, k, expected) in cases {
            let found = failure_bits(h, k, 5.0, 1 << 16);
            assert!(
                (found - expected).abs() < 0.06,
                "h = {h}, K = {k}: {found:.2}"
            );
        }
        assert_eq!(failure_bits(32, 16, 5.0, 1 << 16), f64::NEG_INFINITY);
    }

    #[test]
    fn wraps_are_certain_together() {
        for h in [24, 32, 40] {
            let all: f64 = (0..=h / 2).map(|i| wrap_probability(h, i)).sum();
            assert!((all - 1.0).abs() < 1e-12, "{h}: {all}");
        }
    }
}
