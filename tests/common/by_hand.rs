//! Parquet files byte by byte, so that they can say what no writer would: Thrift's compact protocol, and pages without any packing.

#![allow(dead_code, reason = "every test program uses its own part of this")]

/// A structure that is being written; its fields come in growing order.
#[derive(Default)]
pub struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

/// A number in groups of seven bits.
fn groups(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

fn zigzag(number: i64) -> Vec<u8> {
    groups(((number << 1) ^ (number >> 63)) as u64)
}

fn text(text: &str) -> Vec<u8> {
    [groups(text.len() as u64), text.as_bytes().to_vec()].concat()
}

impl Struct {
    fn field(mut self, number: u8, kind: u8, data: &[u8]) -> Self {
        self.bytes.push((number - self.last) << 4 | kind);
        self.bytes.extend(data);
        self.last = number;
        self
    }

    pub fn int(self, number: u8, value: i64) -> Self {
        self.field(number, 5, &zigzag(value))
    }

    pub fn long(self, number: u8, value: i64) -> Self {
        self.field(number, 6, &zigzag(value))
    }

    pub fn text(self, number: u8, value: &str) -> Self {
        self.field(number, 8, &text(value))
    }

    pub fn list(self, number: u8, kind: u8, items: &[Vec<u8>]) -> Self {
        let head = match items.len() {
            few @ ..15 => vec![(few as u8) << 4 | kind],
            many => [vec![0xf0 | kind], groups(many as u64)].concat(),
        };
        self.field(number, 9, &[head, items.concat()].concat())
    }

    pub fn within(self, number: u8, inner: Self) -> Self {
        self.field(number, 12, &inner.end())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Physical types, repetitions.
pub const INT32: i64 = 1;
pub const BYTES: i64 = 6;
pub const REQUIRED: i64 = 0;
pub const REPEATED: i64 = 2;

/// A column of the schema.
pub fn leaf(name: &str, kind: i64, repetition: i64) -> Vec<u8> {
    Struct::default().int(1, kind).int(3, repetition).text(4, name).end()
}

/// A group of the schema; the first of all has no repetition.
pub fn group(name: &str, repetition: Option<i64>, children: i64) -> Vec<u8> {
    let start = repetition.map_or(Struct::default(), |repetition| Struct::default().int(3, repetition));
    start.text(4, name).int(5, children).end()
}

/// A page of data that claims to hold so many values, encoded so, and to unpack to so many bytes.
pub fn page(body: &[u8], values: i64, encoding: i64, unpacked: i64) -> Vec<u8> {
    let data = Struct::default().int(1, values).int(2, encoding).int(3, 3).int(4, 3);
    let head = Struct::default().int(1, 0).int(2, unpacked).int(3, body.len() as i64).within(5, data);
    [head.end(), body.to_vec()].concat()
}

/// A page of a dictionary that claims so.
pub fn dictionary(body: &[u8], values: i64) -> Vec<u8> {
    let data = Struct::default().int(1, values).int(2, 0);
    let head = Struct::default().int(1, 2).int(2, body.len() as i64).int(3, body.len() as i64).within(7, data);
    [head.end(), body.to_vec()].concat()
}

/// The pages of a column.
pub struct Column<'c> {
    pub path: &'c [&'c str],
    pub kind: i64,
    /// 0 for none, 1 for Snappy.
    pub codec: i64,
    pub values: i64,
    pub pages: Vec<u8>,
}

/// A file of one group of rows.
pub fn file(schema: &[Vec<u8>], columns: &[Column<'_>], rows: i64) -> Vec<u8> {
    let mut bytes = b"PAR1".to_vec();
    let mut chunks = Vec::new();
    for Column { path, kind, codec, values, pages } in columns {
        let (start, size) = (bytes.len() as i64, pages.len() as i64);
        bytes.extend(pages);
        let path: Vec<Vec<u8>> = path.iter().map(|part| text(part)).collect();
        let column = Struct::default().int(1, *kind).list(2, 5, &[zigzag(0), zigzag(3)]).list(3, 8, &path);
        let column = column.int(4, *codec).long(5, *values).long(6, size).long(7, size).long(9, start);
        chunks.push(Struct::default().long(2, start).within(3, column).end());
    }
    let rows_of = Struct::default().list(1, 12, &chunks).long(2, 100).long(3, rows).end();
    let groups = if columns.is_empty() { Vec::new() } else { vec![rows_of] };
    let description = Struct::default().int(1, 1).list(2, 12, schema).long(3, rows).list(4, 12, &groups).end();
    let size = (description.len() as u32).to_le_bytes();
    [bytes, description, size.to_vec(), b"PAR1".to_vec()].concat()
}
