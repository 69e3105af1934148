//! Linear least squares by Householder reflections.

/// The `x` that minimises `|A x - b|`, for a matrix given by rows, at least as many as columns and of full rank. Cost: O(rows * columns^2).
pub fn least_squares(mut rows: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    for k in 0..columns {
        let column: Vec<f64> = rows.iter().skip(k).map(|row| row[k]).collect();
        let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        let mut v = column;
        let first = v[0];
        // Away from the first entry, so that nothing cancels.
        v[0] += norm.copysign(first);
        let square: f64 = v.iter().map(|x| x * x).sum();
        if square == 0.0 {
            continue;
        }
        for j in k..columns {
            let dot: f64 = v.iter().zip(&rows[k..]).map(|(v, row)| v * row[j]).sum();
            let factor = 2.0 * dot / square;
            for (v, row) in v.iter().zip(&mut rows[k..]) {
                row[j] -= factor * v;
            }
        }
        let dot: f64 = v.iter().zip(&b[k..]).map(|(v, b)| v * b).sum();
        let factor = 2.0 * dot / square;
        for (v, b) in v.iter().zip(&mut b[k..]) {
            *b -= factor * v;
        }
    }
    let mut x = vec![0.0; columns];
    for k in (0..columns).rev() {
        let known: f64 = (k + 1..columns).map(|j| rows[k][j] * x[j]).sum();
        x[k] = (b[k] - known) / rows[k][k];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::least_squares;

    #[test]
    fn a_line_through_points_is_found_and_the_rest_is_orthogonal() {
        let rows: Vec<Vec<f64>> = (0..9).map(|i| vec![1.0, f64::from(i)]).collect();
        let noise = [0.1, -0.2, 0.15, 0.0, -0.05, 0.3, -0.1, -0.2, 0.0];
        let b: Vec<f64> = (0..9)
            .map(|i| 2.0 - 0.5 * f64::from(i) + noise[i as usize])
            .collect();
        let x = least_squares(rows.clone(), b.clone());
        let rest: Vec<f64> = rows
            .iter()
            .zip(&b)
            .map(|(r, b)| b - r[0] * x[0] - r[1] * x[1])
            .collect();
        for column in 0..2 {
            let dot: f64 = rows
                .iter()
                .zip(&rest)
                .map(|(row, rest)| row[column] * rest)
                .sum();
            assert!(dot.abs() < 1e-13, "{dot}");
        }
    }
}
