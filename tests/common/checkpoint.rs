//! Checkpoints as PyTorch writes them, byte by byte: pickles, and around them a zip archive or the format before it. The pickles
//! serve other files as well.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use flate2::Crc;

/// What a checkpoint may hold.
#[derive(Debug, Clone)]
pub enum Py {
    None,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Python 2's string or Python 3's bytes.
    Bytes(Vec<u8>),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    Global(&'static str, &'static str),
    /// A call, and the state that is given to what it makes.
    Call(Box<Py>, Vec<Py>, Option<Box<Py>>),
    Tensor(Stored),
}

/// A tensor and its storage.
#[derive(Debug, Clone)]
pub struct Stored {
    /// `FloatStorage` and the like.
    pub class: &'static str,
    pub data: Vec<u8>,
    /// Bytes of an element.
    pub width: usize,
    pub dims: Vec<usize>,
    pub strides: Vec<usize>,
    pub offset: usize,
    /// Whether it is an `nn.Parameter`.
    pub parameter: bool,
}

pub fn text(text: &str) -> Py {
    Py::Text(text.into())
}

pub fn dict(entries: impl IntoIterator<Item = (&'static str, Py)>) -> Py {
    Py::Dict(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

/// A row-major tensor of floats.
pub fn floats(dims: &[usize], values: &[f32]) -> Py {
    Py::Tensor(Stored::floats(dims, values))
}

/// A row-major tensor of integers.
pub fn longs(dims: &[usize], values: &[i64]) -> Py {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Py::Tensor(Stored { class: "LongStorage", data, width: 8, ..Stored::floats(dims, &[]) })
}

/// Bytes, as of the state of a random generator.
pub fn bytes(values: &[u8]) -> Py {
    let tensor =
        Stored { class: "ByteStorage", data: values.to_vec(), width: 1, ..Stored::floats(&[values.len()], &[]) };
    Py::Tensor(tensor)
}

impl Stored {
    pub fn floats(dims: &[usize], values: &[f32]) -> Self {
        let strides = (0..dims.len()).map(|axis| dims[axis + 1..].iter().product()).collect();
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let dims = dims.to_vec();
        Self { class: "FloatStorage", data, width: 4, dims, strides, offset: 0, parameter: false }
    }
}

/// The protocol of a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Two,
    Four,
}

struct Writer {
    protocol: Protocol,
    bytes: Vec<u8>,
    storages: Vec<Stored>,
}

/// The pickle of a value, and the storages that it names by number.
pub fn pickle(value: &Py, protocol: Protocol) -> (Vec<u8>, Vec<Stored>) {
    let mut writer = Writer { protocol, bytes: Vec::new(), storages: Vec::new() };
    writer.value(value);
    writer.bytes.push(b'.');
    let body = writer.bytes;
    let mut bytes = vec![0x80, if protocol == Protocol::Two { 2 } else { 4 }];
    if protocol == Protocol::Four {
        bytes.push(0x95);
        bytes.extend((body.len() as u64).to_le_bytes());
    }
    bytes.extend(body);
    (bytes, writer.storages)
}

impl Writer {
    fn value(&mut self, value: &Py) {
        match value {
            Py::None => self.bytes.push(b'N'),
            Py::Int(value) => match i32::try_from(*value) {
                Ok(value) => self.code(b'J', &value.to_le_bytes()),
                Err(_) => self.code(0x8a, &[&[8], &value.to_le_bytes()[..]].concat()),
            },
            Py::Float(value) => self.code(b'G', &value.to_be_bytes()),
            Py::Bool(value) => self.bytes.push(if *value { 0x88 } else { 0x89 }),
            Py::Text(value) => self.text(value),
            Py::Bytes(value) => self.string(value),
            Py::Tuple(items) => self.marked(items, b't'),
            Py::List(items) => {
                self.bytes.push(b']');
                self.marked(items, b'e');
            }
            Py::Dict(entries) => {
                self.bytes.push(b'}');
                let items: Vec<Py> = entries.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
                self.marked(&items, b'u');
            }
            Py::Global(module, name) => self.global(module, name),
            Py::Call(by, from, state) => {
                self.value(by);
                self.marked(from, b't');
                self.bytes.push(b'R');
                if let Some(state) = state {
                    self.value(state);
                    self.bytes.push(b'b');
                }
            }
            Py::Tensor(tensor) => self.tensor(tensor),
        }
    }

    fn code(&mut self, code: u8, argument: &[u8]) {
        self.bytes.push(code);
        self.bytes.extend(argument);
    }

    fn text(&mut self, text: &str) {
        match self.protocol {
            Protocol::Two => self.code(b'X', &(text.len() as u32).to_le_bytes()),
            Protocol::Four => self.code(0x8c, &[text.len() as u8]),
        }
        self.bytes.extend(text.as_bytes());
        if self.protocol == Protocol::Four {
            self.bytes.push(0x94);
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        let [short, long] = if self.protocol == Protocol::Two { *b"UT" } else { *b"CB" };
        match u8::try_from(bytes.len()) {
            Ok(length) => self.code(short, &[length]),
            Err(_) => self.code(long, &(bytes.len() as u32).to_le_bytes()),
        }
        self.bytes.extend(bytes);
    }

    fn global(&mut self, module: &str, name: &str) {
        match self.protocol {
            Protocol::Two => self.bytes.extend(format!("c{module}\n{name}\n").as_bytes()),
            Protocol::Four => {
                self.text(module);
                self.text(name);
                self.bytes.push(0x93);
            }
        }
    }

    fn marked(&mut self, items: &[Py], code: u8) {
        self.bytes.push(b'(');
        items.iter().for_each(|item| self.value(item));
        self.bytes.push(code);
    }

    fn tensor(&mut self, tensor: &Stored) {
        let (key, elements) = (self.storages.len(), tensor.data.len() / tensor.width);
        self.storages.push(tensor.clone());
        let counts = |counts: &[usize]| Py::Tuple(counts.iter().map(|count| Py::Int(*count as i64)).collect());
        if tensor.parameter {
            self.global("torch._utils", "_rebuild_parameter");
            self.bytes.push(b'(');
        }
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.bytes.push(b'(');
        let storage = [text("storage"), Py::Global("torch", tensor.class), text(&key.to_string()), text("cpu")];
        self.value(&Py::Tuple([&storage[..], &[Py::Int(elements as i64)], &self.view()].concat()));
        self.bytes.push(b'Q');
        let hooks = Py::Call(Box::new(Py::Global("collections", "OrderedDict")), vec![], None);
        for part in
            [Py::Int(tensor.offset as i64), counts(&tensor.dims), counts(&tensor.strides), Py::Int(0), hooks.clone()]
        {
            self.value(&part);
        }
        self.bytes.extend(b"tR");
        if tensor.parameter {
            self.value(&Py::Int(1));
            self.value(&hooks);
            self.bytes.extend(b"tR");
        }
    }

    /// The old format says of a storage that it is no part of another.
    fn view(&self) -> Vec<Py> {
        vec![Py::None]
    }
}

/// `torch.save` of today.
pub fn zip(value: &Py, protocol: Protocol) -> Vec<u8> {
    let (pickle, storages) = pickle(value, protocol);
    let mut files = vec![("archive/data.pkl".to_string(), pickle), ("archive/byteorder".into(), b"little".to_vec())];
    files.extend(storages.into_iter().enumerate().map(|(key, tensor)| (format!("archive/data/{key}"), tensor.data)));
    archive(&files)
}

/// A zip archive of files that are stored as they are.
pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut bytes, mut list) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let start = bytes.len() as u32;
        let mut crc = Crc::new();
        crc.update(data);
        let size = (data.len() as u32).to_le_bytes();
        // Version, flags, method, time, date, checksum, sizes, lengths of name and extra field.
        let name_length = (name.len() as u16).to_le_bytes();
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &crc.sum().to_le_bytes()[..], &size, &size, &name_length, &[0, 0]];
        let common = common.concat();
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), data].concat());
        list.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &start.to_le_bytes(), name.as_bytes()].concat());
    }
    let (count, start, size) = ((files.len() as u16).to_le_bytes(), bytes.len() as u32, list.len() as u32);
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size.to_le_bytes(), &start.to_le_bytes(), &[0, 0]].concat();
    [bytes, list, end].concat()
}

/// `torch.save` of before 2020.
pub fn legacy(value: &Py) -> Vec<u8> {
    let (content, storages) = pickle(value, Protocol::Two);
    let machine = dict([("protocol_version", Py::Int(1001)), ("type_sizes", dict([("int", Py::Int(4))]))]);
    let keys = Py::List((0..storages.len()).map(|key| text(&key.to_string())).collect());
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e".to_vec();
    for part in [&Py::Int(1001), &machine] {
        bytes.extend(pickle(part, Protocol::Two).0);
    }
    bytes.extend([content, pickle(&keys, Protocol::Two).0].concat());
    for tensor in storages {
        bytes.extend((tensor.data.len() as u64 / tensor.width as u64).to_le_bytes());
        bytes.extend(tensor.data);
    }
    bytes
}
