//! scratch
use peregrine_tests::flow;
fn main() {
    let n: usize = std::env::args()
        .nth(1)
        .unwrap_or_default()
        .parse()
        .unwrap_or(1);
    let p = std::path::Path::new("/work/shared/models/resnet20_cifar10_poly2.onnx");
    let (graph, c) = flow::compile_file(p).unwrap_or_else(|e| unreachable!("{e}"));
    let img = |k: usize| {
        (0..3072)
            .map(|i| ((i + 31 * k) as f64 * 0.37).sin())
            .collect::<Vec<f64>>()
    };
    let images: Vec<_> = (0..n)
        .map(|k| flow::inputs(&graph, &[img(k)]).unwrap_or_default())
        .collect();
    let t = std::time::Instant::now();
    let out = flow::simulated_all(&c.circuit, &images).unwrap_or_default();
    println!("{} images {:?}", out.len(), t.elapsed());
}
