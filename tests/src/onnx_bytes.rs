//! ONNX models as bytes, written by hand: what tests need of `onnx.proto`, opset 17.

/// A protobuf message under construction.
#[derive(Clone, Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// A model under construction: nodes in order, each with one result.
#[derive(Clone, Debug, Default)]
pub struct Model {
    graph: Message,
    nodes: usize,
}

/// An attribute of a node.
#[derive(Clone, Copy, Debug)]
pub enum Attribute<'a> {
    /// A number.
    Int(&'a str, u32),
    /// A list of numbers.
    Ints(&'a str, &'a [u32]),
    /// A word.
    Text(&'a str, &'a str),
}

impl Model {
    /// Declares an input of 32-bit floats.
    pub fn input(&mut self, name: &str, dims: &[u32]) {
        self.port(11, name, dims);
    }

    /// Declares an output of 32-bit floats.
    pub fn output(&mut self, name: &str, dims: &[u32]) {
        self.port(12, name, dims);
    }

    fn port(&mut self, field: u64, name: &str, dims: &[u32]) {
        let shape = dims.iter().fold(Message::default(), |shape, &dim| {
            shape.message(1, &Message::default().int(1, dim.into()))
        });
        let tensor = Message::default().int(1, 1).message(2, &shape);
        let ty = Message::default().message(1, &tensor);
        let info = Message::default().text(1, name).message(2, &ty);
        self.add(field, &info);
    }

    /// Stores a tensor of 32-bit floats and returns its name.
    pub fn weight(&mut self, name: &str, dims: &[u32], data: impl Iterator<Item = f32>) -> String {
        let raw: Vec<u8> = data.flat_map(f32::to_le_bytes).collect();
        let shape = dims
            .iter()
            .fold(Message::default(), |tensor, &dim| tensor.int(1, dim.into()));
        let tensor = shape.int(2, 1).text(8, name).bytes(9, &raw);
        self.add(5, &tensor);
        name.to_owned()
    }

    /// Appends a node and returns the name of its result.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> String {
        let result = format!("v{}", self.nodes);
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        node = node
            .text(2, &result)
            .text(3, &format!("{op}_{}", self.nodes))
            .text(4, op);
        for attribute in attributes {
            node = node.message(5, &attribute.message());
        }
        self.nodes += 1;
        self.add(1, &node);
        result
    }

    fn add(&mut self, field: u64, message: &Message) {
        self.graph = std::mem::take(&mut self.graph).message(field, message);
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        let graph = self.graph.text(2, "network");
        let opset = Message::default().int(2, 17);
        let model = Message::default().int(1, 8).message(8, &opset);
        model.message(7, &graph).0
    }
}

impl Attribute<'_> {
    fn message(self) -> Message {
        match self {
            Self::Text(name, text) => Message::default().text(1, name).text(4, text).int(20, 3),
            Self::Int(name, value) => Message::default()
                .text(1, name)
                .int(3, value.into())
                .int(20, 2),
            Self::Ints(name, values) => {
                let named = Message::default().text(1, name);
                let list = values.iter().fold(named, |list, &v| list.int(8, v.into()));
                list.int(20, 7)
            }
        }
    }
}
