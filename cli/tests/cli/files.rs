//! Files as users have them: of the wrong kind, of any type of number, with `=` in their names, in the way of others.

use crate::common::Folder;
use insta::assert_snapshot;
use ndarray::{ArrayD, ShapeBuilder};
use ndarray_npy::{read_npy, write_npy};
use std::fs;

/// What other programs write, by name.
fn others() -> [(&'static str, Vec<u8>); 11] {
    let zip = |name: &str| {
        let length = (name.len() as u16).to_le_bytes();
        [
            b"PK\x03\x04".as_slice(),
            &[0; 22],
            &length,
            &[0; 2],
            name.as_bytes(),
        ]
        .concat()
    };
    [
        ("net.pt", zip("net/data.pkl")),
        (
            "old.pth",
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M".to_vec(),
        ),
        ("a.zip", zip("readme.txt")),
        (
            "pointer",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".to_vec(),
        ),
        ("empty", Vec::new()),
        ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()),
        ("x.csv", b"0.5,0.25\n1.0,0.0\n".to_vec()),
        ("x.json", b"{\"a\": 1}".to_vec()),
        ("x.h5", b"\x89HDF\r\n\x1a\n\0\0\0".to_vec()),
        (
            "login.html",
            b"<!DOCTYPE html><title>Log in</title>".to_vec(),
        ),
        ("noise", vec![0x17, 0x99, 0, 0xfe, 0x80, 3, 3, 3]),
    ]
}

#[test]
fn files_of_other_programs_are_named() {
    let folder = Folder::compiled("others");
    fs::create_dir(folder.path("folder")).unwrap();
    for (name, content) in others() {
        folder.write(name, content);
    }
    let said = |line: &str| {
        let names = others().map(|(name, _)| name).into_iter().chain(["folder"]);
        let said = names.map(|name| folder.fails(&line.replace("{}", name)));
        said.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(
        "arrays",
        said("encrypt digits.client --secret secret.key --input {} -o y.ct")
    );
    assert_snapshot!("interfaces", said("keygen {} --secret s --evaluation e"));
    assert_snapshot!(
        "keys",
        said("run digits.fhe --evaluation {} --input x.ct -o y.ct")
    );
    assert_snapshot!(
        "profiles",
        said("compile digits.onnx -o d.fhe --profile {}")
    );
}

#[test]
fn files_that_are_not_there_come_from_somewhere() {
    let folder = Folder::compiled("absent");
    assert_snapshot!(folder.fails("keygen none --secret s --evaluation e"), @r"
    error: none: cannot be read: No such file or directory
    help: `peregrine compile` makes the client interface together with the circuit
    ");
    assert_snapshot!(folder.fails("encrypt digits.client --secret none --input image.npy -o y.ct"), @r"
    error: none: cannot be read: No such file or directory
    help: `peregrine keygen` makes the secret key together with the evaluation keys
    ");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation eval.keys --input none -o y.ct"), @r"
    error: none: cannot be read: No such file or directory
    help: `peregrine encrypt` makes the inputs of `run`, and `run` those of `decrypt`
    ");
}

#[test]
fn nothing_of_another_kind_is_overwritten_unasked() {
    let folder = Folder::compiled("kinds");
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    folder.write("notes", "remember the milk");
    let decrypt = "decrypt digits.client --secret secret.key --input y.ct -o";
    for (line, said) in [
        (
            "compile digits.onnx -o image.npy",
            "image.npy: holds a NumPy array (.npy), and would",
        ),
        (
            "compile digits.onnx -o x.ct",
            "x.ct: holds ciphertexts, and would",
        ),
        (
            "compile digits.onnx -o d.fhe --client notes",
            "notes: holds text, and would",
        ),
        (
            "encrypt digits.client --secret secret.key --input image.npy -o digits.onnx",
            "digits.onnx: holds an ONNX model, and",
        ),
        (
            "run digits.fhe --evaluation eval.keys --input x.ct -o digits.client",
            "digits.client: holds a client interface (.client), and",
        ),
        (
            "bench --log-n 13 --profile-out digits.onnx",
            "digits.onnx: holds an ONNX model, and",
        ),
        (
            &format!("{decrypt} labels.npy"),
            "labels.npy: holds a NumPy array (.npy), and would be overwritten",
        ),
    ] {
        let told = folder.fails(line);
        assert!(
            told.starts_with(&format!("error: {said}")),
            "{line}: {told}"
        );
        assert!(
            told.ends_with("help: choose another output; --force overwrites it"),
            "{told}"
        );
    }
    // A secret key is not overwritten whatever is said, but by another one.
    folder.ok("keygen digits.client --secret other.key --evaluation other.keys");
    for line in [
        "compile digits.onnx -o other.key --force",
        "keygen digits.client --secret new.key --evaluation other.key --force",
        "simulate digits.fhe --input image.npy -o other.key --force",
    ] {
        let told = folder.fails(line);
        assert!(told.contains("other.key"), "{line}: {told}");
    }
    folder.ok("compile digits.onnx -o notes --client other.client --force");
    // What a verb wrote it writes again, and empty files hold nothing.
    folder.write("y.npz", "");
    for _ in 0..2 {
        folder.ok(&format!("{decrypt} y.npz"));
        folder.ok("compile digits.onnx -o digits.fhe");
        folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    }
}

#[test]
fn outputs_are_written_as_their_names_say() {
    let folder = Folder::new("formats");
    folder.ok("compile digits.onnx -o digits.fhe");
    let simulate = "simulate digits.fhe --input images.npy -o";
    for name in ["y.npz", "y.npy", "y.csv", "y"] {
        folder.ok(&format!("{simulate} {name}"));
    }
    let array: ArrayD<f64> = read_npy(folder.path("y.npy")).unwrap();
    assert_eq!(array.shape(), [50, 10]);
    let table = String::from_utf8(folder.bytes("y.csv")).unwrap();
    let rows = table
        .lines()
        .map(|line| line.split(',').map(|x| x.parse().unwrap()));
    assert_eq!(
        rows.flatten().collect::<Vec<f64>>(),
        array.into_raw_vec_and_offset().0
    );
    assert_eq!(folder.bytes("y"), folder.bytes("y.npz"));
    assert_snapshot!(folder.fails(&format!("{simulate} y.txt")), @"error: y.txt: outputs are not written as .txt, only as .npz, .npy and .csv");
    assert_snapshot!(folder.fails(&format!("{simulate} y.csv")), @r"
    error: y.csv: holds text, and would be overwritten
    help: choose another output; --force overwrites it
    ");
    folder.ok(&format!("{simulate} y.csv --force"));
}

#[test]
fn names_of_files_may_have_equals_signs() {
    let folder = Folder::new("equals");
    folder.ok("compile digits.onnx -o digits.fhe");
    fs::create_dir(folder.path("run=1")).unwrap();
    for copy in ["epoch=3.npy", "run=1/x.npy", "image=2.npy"] {
        fs::copy(folder.path("image.npy"), folder.path(copy)).unwrap();
    }
    let simulate = |input: &str| format!("simulate digits.fhe --input {input}");
    for input in [
        "epoch=3.npy",
        "run=1/x.npy",
        "image=run=1/x.npy",
        "image=2.npy",
        "image=image=2.npy",
    ] {
        folder.ok(&simulate(input));
    }
    assert_snapshot!(folder.fails(&simulate("epoch=4.npy")), @"error: epoch=4.npy: there is no such file, and the model has no input `epoch`: its inputs are `image`");
    assert_snapshot!(folder.fails(&simulate("picture=image.npy")), @"error: image.npy: the model has no input `picture`, its inputs are `image`");
    assert_snapshot!(folder.fails(&format!("{} -o digits.fhe", simulate("image=image.npy"))), @"error: digits.fhe: is given as the circuit and as the output");
}

/// Writes a `.npy` of this type by hand.
fn typed(folder: &Folder, name: &str, descr: &str, shape: &str, data: &[u8]) {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    folder.write(
        name,
        [
            b"\x93NUMPY\x01\0".as_slice(),
            &length,
            header.as_bytes(),
            data,
        ]
        .concat(),
    );
}

#[test]
fn any_real_numbers_are_read() {
    let folder = Folder::new("types");
    folder.ok("compile digits.onnx -o digits.fhe");
    let simulate = |input: &str| folder.ok(&format!("simulate digits.fhe --input {input}"));
    let bits: Vec<u8> = (0..64).map(|i| u8::from(i % 5 < 2)).collect();
    let doubles = bits.iter().map(|&b| f64::from(b));
    let all: Vec<u8> = doubles.flat_map(f64::to_le_bytes).collect();
    typed(&folder, "f8.npy", "'<f8'", "(8, 8)", &all);
    let expected = simulate("f8.npy");
    let wide = |one: &[u8]| -> Vec<u8> {
        let zero = vec![0; one.len()];
        bits.iter()
            .flat_map(|&b| if b == 1 { one.to_vec() } else { zero.clone() })
            .collect()
    };
    for (descr, one) in [
        ("'<f2'", b"\x00\x3c".as_slice()),
        ("'>f2'", b"\x3c\x00"),
        ("'>f4'", &1f32.to_be_bytes()),
    ] {
        typed(&folder, "x.npy", descr, "(8, 8)", &wide(one));
        assert_eq!(simulate("x.npy"), expected, "{descr}");
    }
    // Bytes of an image are seldom what a network of real numbers was trained on.
    for (descr, one) in [
        ("'|b1'", b"\x01".as_slice()),
        ("'|u1'", b"\x01"),
        ("'|i1'", b"\x01"),
        ("'<i2'", b"\x01\x00"),
        ("'>u4'", b"\x00\x00\x00\x01"),
        ("'<i8'", &1i64.to_le_bytes()),
        ("'>u8'", &1u64.to_be_bytes()),
    ] {
        typed(&folder, "x.npy", descr, "(8, 8)", &wide(one));
        let said = folder.fails("simulate digits.fhe --input x.npy");
        assert!(
            said.contains("holds integers, the model takes real numbers"),
            "{descr}: {said}"
        );
    }
    // Columns first.
    let rows = bits.iter().map(|&b| f32::from(b)).collect();
    let rows: ArrayD<f32> = ArrayD::from_shape_vec(vec![8, 8], rows).unwrap();
    let mut columns: ArrayD<f32> = ArrayD::zeros(vec![8, 8].f());
    columns.assign(&rows);
    write_npy(folder.path("x.npy"), &columns).unwrap();
    assert!(
        folder
            .bytes("x.npy")
            .windows(5)
            .any(|word| word == b"True,")
    );
    assert_eq!(simulate("x.npy"), expected);
}

#[test]
fn other_elements_are_named() {
    let folder = Folder::new("elements");
    folder.ok("compile digits.onnx -o digits.fhe");
    let said = |descr: &str, size: usize| {
        typed(&folder, "x.npy", descr, "(8, 8)", &vec![0x7f; 64 * size]);
        folder.fails("simulate digits.fhe --input x.npy")
    };
    let all = [
        said("'|V2'", 2),
        said("'<c8'", 8),
        said("'|O'", 8),
        said("'<U4'", 16),
        said("[('a', '<f4'), ('b', '<f4')]", 8),
        said("'<i8'", 8),
        said("'<M8[ns]'", 8),
    ];
    assert_snapshot!("elements", all.join("\n"));
}
