//! Where the split of a board is from: drawn at random, or a file, which is a CSV file of ours or the authors' directory with
//! `trainset.txt` and `testset.txt`.
//!
//! The CSV file has the columns split (`train` or `test`), row, column (grid indices) and label. A line of the authors'
//! files has four numbers: the two coordinates of a point, in [-1, 1], and its label twice.

use super::checkerboard::{Board, Split};
use super::table::cells::line;
use crate::files;
use crate::rng::Seed;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The authors' files, of training and of test points.
const AUTHORS: [&str; 2] = ["trainset.txt", "testset.txt"];
/// Of the CSV file, in any order.
const COLUMNS: [&str; 4] = ["split", "row", "column", "label"];
/// Bytes of the longest file: the authors' lines have a hundred, and the largest board has a million points.
const LONGEST: u64 = 256 << 20;
/// How far a coordinate may lie from the board's: they were written from single precision.
const ROUNDING: f64 = 1e-6;

/// Where the split into training and test points comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SplitSource {
    /// Drawn for each seed of a run.
    Seeded {
        /// Part of all points that is for training.
        train_fraction: f64,
    },
    /// Read from a CSV file with the columns split, row, column, label, or from the authors' directory; the same for every seed.
    File {
        /// Where it is.
        path: PathBuf,
        /// As [`hash`] makes it.
        sha256: String,
    },
}

/// SHA-256 of the file, or of the hashes of the authors' two files, in hexadecimal: a point that moves from one file to
/// the other must show.
///
/// # Errors
/// When one cannot be read.
pub fn hash(path: &Path) -> Result<String> {
    let of_file = |path: &Path| Ok(files::sha256(contents(path)?.as_bytes()));
    if !path.is_dir() {
        return of_file(path);
    }
    let hashes = AUTHORS.map(|name| of_file(&path.join(name))).into_iter().collect::<Result<Vec<_>>>()?;
    Ok(files::sha256(hashes.concat().as_bytes()))
}

impl Split {
    /// The split of a run.
    ///
    /// # Errors
    /// When there is no such board or split, or its file changed.
    pub fn of(source: &SplitSource, board: &Board, seed: Seed) -> Result<Self> {
        match source {
            SplitSource::Seeded { train_fraction } => {
                if let Some(problem) = Self::problem(board, *train_fraction) {
                    bail!("{problem}");
                }
                Ok(Self::seeded(board, *train_fraction, seed))
            }
            SplitSource::File { path, sha256 } => {
                let found = hash(path)?;
                ensure!(&found == sha256, "{}: the split file changed since the run was planned", path.display());
                Self::read(path, board)
            }
        }
    }

    /// Reads a split and compares its labels with the board's.
    ///
    /// # Errors
    /// With file and line, when a row cannot be read, lies outside the grid, comes twice or contradicts the board.
    pub fn read(path: &Path, board: &Board) -> Result<Self> {
        Self::read_from(path, path.is_dir(), contents, board)
    }

    /// [`Split::read`] with what gives the text of a file.
    pub(crate) fn read_from(
        path: &Path,
        is_dir: bool,
        contents: impl Fn(&Path) -> Result<String>,
        board: &Board,
    ) -> Result<Self> {
        if let Some(problem) = board.problem() {
            bail!("{}: {problem}", path.display());
        }
        let split = Self { train: Vec::new(), test: Vec::new() };
        let mut reading = Reading { board, split, seen: vec![false; board.points()] };
        if is_dir {
            for (part, name) in Part::ALL.into_iter().zip(AUTHORS) {
                let path = path.join(name);
                reading.read_text(&path, &contents(&path)?, part)?;
            }
        } else {
            reading.read_csv(path, &contents(path)?)?;
        }
        let mut split = reading.split;
        let enough = split.train.len() >= 2 && !split.test.is_empty();
        ensure!(enough, "{}: needs training points and test points", path.display());
        split.train.sort_unstable();
        split.test.sort_unstable();
        Ok(split)
    }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Train,
    Test,
}

impl Part {
    const ALL: [Self; 2] = [Self::Train, Self::Test];
}

/// A split that is being read.
struct Reading<'b> {
    board: &'b Board,
    split: Split,
    /// Points that have come already.
    seen: Vec<bool>,
}

impl Reading<'_> {
    fn read_csv(&mut self, path: &Path, text: &str) -> Result<()> {
        let name = path.display();
        // Spreadsheets begin a file with a mark of the byte order.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let needs = || format!("{name}: needs the columns {}", COLUMNS.join(", "));
        let header = reader.headers().with_context(needs)?.clone();
        let places = COLUMNS.map(|column| header.iter().position(|found| found == column));
        let [Some(split), Some(row), Some(column), Some(label)] = places else { bail!("{}", needs()) };
        for record in reader.records() {
            let record = record.with_context(|| name.to_string())?;
            let start = record.position().map_or(0, csv::Position::byte) as usize;
            let place = || format!("{name}, line {}", line(text, start));
            let part = match &record[split] {
                "train" => Part::Train,
                "test" => Part::Test,
                other => bail!("{}: split is {other:?}; use train or test", place()),
            };
            let number = |key: &str, at: usize| whole(&record[at]).map_err(|told| anyhow!("{}: {key} {told}", place()));
            let (row, column, label) = (number("row", row)?, number("column", column)?, number("label", label)?);
            self.add(part, [row, column], label).with_context(place)?;
        }
        Ok(())
    }

    fn read_text(&mut self, path: &Path, text: &str, part: Part) -> Result<()> {
        let name = path.display();
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{name}, line {}", index + 1);
            let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
            let numbers = numbers.ok().and_then(|numbers| <[f64; 4]>::try_from(numbers).ok());
            let numbers = numbers.with_context(|| format!("{}: needs four numbers: x, y, label, label", place()))?;
            let [x, y, label, again] = numbers;
            ensure!(label == again, "{}: the labels {label} and {again} differ", place());
            ensure!([0.0, 1.0].contains(&label), "{}: the label is {label}; use 0 or 1", place());
            let at = [self.index(x), self.index(y)];
            let [Some(row), Some(column)] = at else {
                bail!("{}: ({x}, {y}) is no point of the {} grid", place(), self.grid());
            };
            self.add(part, [row, column], label as usize).with_context(place)?;
        }
        Ok(())
    }

    /// The row or column of a coordinate.
    fn index(&self, coordinate: f64) -> Option<usize> {
        let nearest = ((coordinate + 1.0) / 2.0 * (self.board.side - 1) as f64).round();
        let inside = (0.0..self.board.side as f64).contains(&nearest).then_some(nearest as usize)?;
        ((self.board.coordinate(inside) - coordinate).abs() <= ROUNDING).then_some(inside)
    }

    fn grid(&self) -> String {
        format!("{side} x {side}", side = self.board.side)
    }

    fn add(&mut self, part: Part, [row, column]: [usize; 2], label: usize) -> Result<()> {
        let (side, cells) = (self.board.side, self.board.cells);
        ensure!(row < side && column < side, "point outside the {} grid", self.grid());
        let point = row * side + column;
        ensure!(!self.seen[point], "point ({row}, {column}) comes twice");
        self.seen[point] = true;
        let fits = usize::from(self.board.label(point)) == label;
        ensure!(fits, "label {label} contradicts a board of {cells} cells; check --cells");
        match part {
            Part::Train => self.split.train.push(point),
            Part::Test => self.split.test.push(point),
        }
        Ok(())
    }
}

/// A whole number, or what is wrong with the text and what to write.
fn whole(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| match text.parse::<f64>() {
        Ok(number) if number >= 0.0 && number.fract() == 0.0 => format!("is {text:?}; write {number}"),
        _ => format!("is {text:?}; use a whole number"),
    })
}

fn contents(path: &Path) -> Result<String> {
    files::read_text_within(path, LONGEST).with_context(|| format!("cannot read the split file {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use std::fs;

    fn board() -> Board {
        Board { side: 81, cells: 12 }
    }

    /// The lines of a file of the authors' kind.
    fn lines(board: &Board, points: &[usize]) -> String {
        let line = |point: &usize| {
            let (row, column) = board.place(*point);
            let [x, y] = [row, column].map(|index| f64::from(board.coordinate(index) as f32));
            let label = f64::from(board.label(*point));
            format!("{x:.18e} {y:.18e} {label:.18e} {label:.18e}\n")
        };
        points.iter().map(line).collect()
    }

    #[test]
    fn what_is_no_board_and_no_split_is_refused() {
        for (side, cells) in [(0, 0), (1, 1), (0, 1), (81, 0), (81, 82), (usize::MAX, 2)] {
            let board = Board { side, cells };
            assert!(Split::read(Path::new("split.csv"), &board).is_err(), "{board:?}");
        }
        let source = SplitSource::Seeded { train_fraction: 0.0001 };
        let error = Split::of(&source, &board(), Seed(1)).expect_err("no split").to_string();
        assert!(error.contains("train_fraction is 0.0001, 1 of 6561 points; use more"), "{error}");
    }

    #[test]
    fn the_authors_directory_and_a_csv_file_give_the_same_split() {
        let (board, directory) = (board(), tempfile::tempdir().expect("a directory"));
        let split = Split::seeded(&board, 0.25, Seed(7));
        fs::write(directory.path().join("trainset.txt"), lines(&board, &split.train)).expect("a file");
        fs::write(directory.path().join("testset.txt"), lines(&board, &split.test)).expect("a file");
        assert_eq!(Split::read(directory.path(), &board).expect("a split"), split);

        let row = |part: &str, point: &usize| {
            let (row, column) = board.place(*point);
            format!("{part},{row},{column},{}\n", board.label(*point))
        };
        let rows = split.train.iter().map(|point| row("train", point));
        let rows = rows.chain(split.test.iter().map(|point| row("test", point))).collect::<String>();
        let file = directory.path().join("split.csv");
        fs::write(&file, format!("split,row,column,label\n{rows}")).expect("a file");
        assert_eq!(Split::read(&file, &board).expect("a split"), split);
        let before = hash(directory.path()).expect("a hash");
        assert_ne!(hash(&file).expect("a hash"), before);

        // A point that moves from the end of one file to the start of the other leaves all bytes as they are, in a row.
        let (moved, kept) = split.train.split_last().expect("points");
        let test = [&[*moved], &split.test[..]].concat();
        fs::write(directory.path().join("trainset.txt"), lines(&board, kept)).expect("a file");
        fs::write(directory.path().join("testset.txt"), lines(&board, &test)).expect("a file");
        assert_ne!(hash(directory.path()).expect("a hash"), before);
    }

    #[test]
    fn what_is_no_split_is_refused_with_file_line_and_value() {
        let (board, directory) = (board(), tempfile::tempdir().expect("a directory"));
        fs::write(directory.path().join("testset.txt"), "1 1 0 0\n").expect("a file");
        let told = |train: &str| {
            fs::write(directory.path().join("trainset.txt"), train).expect("a file");
            format!("{:#}", Split::read(directory.path(), &board).expect_err("no split"))
        };
        assert!(told("-1 -1 0 0\n-1 -0.975 0 1\n").contains("trainset.txt, line 2: the labels 0 and 1 differ"));
        assert!(told("-1 -1 0 0\n-1 -0.98 0 0\n").contains("line 2: (-1, -0.98) is no point of the 81 x 81 grid"));
        assert!(told("-1 -1 0 0\n-1 -1 0 0\n").contains("line 2: point (0, 0) comes twice"));
        assert!(told("-1 -1 1 1\n").contains("line 1: label 1 contradicts"));
        assert!(told("-1 -1 0\n").contains("line 1: needs four numbers"));
        assert!(told("-1 nan 0 0\n").contains("is no point"));
        assert!(told("1 1 0 0\n-1 -1 0 0\n").contains("testset.txt, line 1: point (80, 80) comes twice"));

        let file = directory.path().join("split.csv");
        let told = |row: &str| {
            fs::write(&file, format!("split,row,column,label\n{row}\n")).expect("a file");
            format!("{:#}", Split::read(&file, &board).expect_err("no split"))
        };
        assert!(told("train,60.0,1,0").contains("split.csv, line 2: row is \"60.0\"; write 60"));
        assert!(told("train,6,-1,0").contains("column is \"-1\"; use a whole number"));
        assert!(told("train,6,81,0").contains("outside the 81 x 81 grid"));
        assert!(told("\n\ntrain,6,5,9").contains("split.csv, line 4: label 9 contradicts"));
        assert!(told("train,6,5").contains("split.csv: CSV error: record 1 (line: 2"));
        // Lines as they ended on old machines.
        fs::write(&file, "split,row,column,label\rtrain,0,0,0\rtrain,x,1,0\r").expect("a file");
        let told = format!("{:#}", Split::read(&file, &board).expect_err("no split"));
        assert!(told.contains("split.csv, line 3: row is \"x\""), "{told}");
        fs::write(&file, "split,row,column\n").expect("a file");
        let told = format!("{:#}", Split::read(&file, &board).expect_err("no split"));
        assert!(told.contains("needs the columns split, row, column, label"), "{told}");
        let other_order = "\u{feff}label,column,row,split\n0,1,0,train\n0,2,0,train\n0,3,0,test\n";
        fs::write(&file, other_order).expect("a file");
        let split = Split::read(&file, &board).expect("a split");
        assert_eq!((split.train, split.test), (vec![1, 2], vec![3]));
    }
}
