use super::*;
use crate::data::images::Options;
use crate::data::known::Known;
use crate::data::source::Proof;
use crate::rng::Seed;
use std::fs;

fn told(text: impl AsRef<[u8]>) -> String {
    format!("{:#}", parse("t", text.as_ref(), &Target::default()).expect_err("a mistake"))
}

fn table(text: &str, target: &Target) -> Table {
    parse("t", text.as_bytes(), target).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Columns x, a noisy copy and the target, of so many rows.
fn numbers(rows: usize) -> String {
    (0..rows).map(|row| format!("{row},{},{}\n", row * row % 7, row * row)).collect()
}

#[test]
fn mistakes_are_reported_with_line_and_column() {
    let rows = numbers(10);
    for (text, message) in [
        ("x,y\n1,2\n3,\n", "line 3: column 2 (y): the value is missing"),
        ("x,y\r\n1,2\r\n\r\n3,NA\r\n", "line 4: column 2 (y): the value is missing"),
        ("x,y\r1,2\r3,?\r", "line 3: column 2 (y): the value is missing"),
        ("1,,3\n", "line 1: column 2: the value is missing"),
        ("1,2\n3,four\n", "line 2: column 2: \"four\" is not a number"),
        ("\"a\nb\",y\n1,2\n3,four\n", "line 4: column 2 (y): \"four\" is not a number"),
        ("x;y\n1;2\n1,5;2\n", "line 3: column 1 (x): \"1,5\" is not a number; use a decimal point"),
        ("x,y\n1,2\n\"3,4\n5,6\n7,8\n9,10\n11,12\n13,14\n15,16\n", "line 3: it has 1 cells, the first row has 2"),
        ("x,y\n1,\"2345678901234567890123456789012345\u{e9}x\"\n", "\"234567890123456789012345678901...\" is not"),
        ("1,2\n3,nan\n", "line 2: column 2: \"nan\" is not a finite number"),
        ("1,2\n3,-inf\n", "line 2: column 2: \"-inf\" is not a finite number"),
        ("1,2\n3,1e999\n", "line 2: column 2: \"1e999\" is not a finite number"),
        ("1,2\n3,1e31\n", "line 2: column 2: \"1e31\" is beyond 1e30; rescale the column"),
        ("1,2\n3,4,5\n", "line 2: it has 3 cells, the first row has 2"),
        ("x,y\n1\n", "line 2: it has 1 cells, the first row has 2"),
        ("", "it has no rows of numbers"),
        ("x,y\n \n", "it has no rows of numbers"),
        ("1\n2\n3\n4\n", "no feature beside the target"),
        ("1,2\n3,2\n", "column 2: the target is the same in every row"),
        ("1,2\n1,3\n", "no feature beside the target"),
        ("1,2,3\n2,1,4\n3,1,5\n", "2 feature columns and 3 rows, 1 of them for training"),
    ] {
        let error = told(text);
        assert!(error.contains(message), "{text:?} gives {error:?}, not {message:?}");
    }
    assert!(told(b"1,2\n3,\xff\n").contains("line 2: it is not UTF-8"));
    assert!(parse("t", rows.as_bytes(), &Target::default()).is_ok());
}

#[test]
fn files_are_named_and_bounded() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("prices.csv");
    fs::write(&path, "x,y\n1,2\n3,four\n").expect("a file");
    let error = format!("{:#}", read(&path, &Target::default()).expect_err("a word"));
    assert!(error.ends_with("prices.csv: line 3: column 2 (y): \"four\" is not a number"), "{error}");
    // A hole in a file takes no space on disk.
    fs::File::create(&path).and_then(|file| file.set_len((256 << 20) + 1)).expect("a large file");
    let error = format!("{:#}", read(&path, &Target::default()).expect_err("a large file"));
    assert!(error.contains("prices.csv: it holds more than 268435456 bytes"), "{error}");
    assert!(read(directory.path(), &Target::default()).is_err());
}

#[test]
fn headers_delimiters_and_marks_are_recognised() {
    let plain = table(&numbers(10), &Target::default());
    assert_eq!((plain.columns.join(" "), plain.target.as_str()), ("column 1 column 2".into(), "column 3"));
    let named = format!("a,\"b, of c\",t\n{}", numbers(10));
    for text in [
        named.clone(),
        format!("\u{feff}\n{}", named.replace('\n', "\r\n")),
        format!("a , b,t\n{}", numbers(10).replace(',', " , ")).replace(" b,", "\"b, of c\" ,"),
        format!("a;\"b, of c\";t\n{}", numbers(10).replace(',', ";")),
        format!("a\tb, of c\tt\n{}", numbers(10).replace(',', "\t")),
    ] {
        let table = table(&text, &Target::default());
        assert_eq!((table.columns.join("|").as_str(), table.target.as_str()), ("a|b, of c", "t"), "{text}");
        assert_eq!((&table.features, &table.targets), (&plain.features, &plain.targets), "{text}");
    }
    // A name may be missing, as that of a column of row numbers.
    assert_eq!(table(&format!(",b,t\n{}", numbers(10)), &Target::default()).columns, ["column 1", "b"]);
}

#[test]
fn targets_go_by_name_or_number() {
    let text = format!("a,3,t\n{}", numbers(10));
    let target = |target: &str| table(&text, &Target::column(target)).target;
    // The second column's name goes before the third column's number.
    assert_eq!((target("a"), target("2"), target("3")), ("a".into(), "3".into(), "3".into()));
    let first = table(&text, &Target::column("1"));
    assert_eq!((first.columns.join(" ").as_str(), first.row(4)), ("3 t", &[2.0, 16.0][..]));
    let told = |text: &str, target: &str| {
        format!("{:#}", parse("t", text.as_bytes(), &Target::column(target)).expect_err("no target"))
    };
    assert_eq!(told(&text, "b"), "target is \"b\", which is no column; use one of a, 3, t");
    assert_eq!(told(&text, "0"), "target is 0; use a column from 1 to 3");
    assert!(told("a,a,b\n1,2,3\n", "a").contains("the name of columns 1 and 2; use a number"));
}

#[test]
fn constant_columns_are_dropped_by_name() {
    let text = format!("one,a,b,t\n{}", numbers(10).replace('\n', "\n1,"));
    let text = text.replacen("\n0,", "\n1,0,", 1);
    let table = table(text.trim_end_matches("1,"), &Target::default());
    assert_eq!((table.columns.join(" ").as_str(), table.dropped.join(" ").as_str()), ("a b", "one"));
    assert_eq!(table.rows(), 10);
}

#[test]
fn a_header_with_numbers_may_be_a_row_with_a_mistake() {
    let rows = numbers(10);
    for (header, mixed) in [("", false), ("a,b,t\n", false), ("O.5,1,2\n", true), ("a,3,t\n", true)] {
        assert_eq!(table(&format!("{header}{rows}"), &Target::default()).mixed_header, mixed, "{header}");
    }
}

#[test]
fn parts_hold_every_row_once_and_none_is_empty() {
    for (rows, sizes) in
        [(3, [1, 1, 1]), (10, [8, 1, 1]), (50, [40, 4, 6]), (1000, [800, 80, 120]), (17_379, [13_904, 1_390, 2_085])]
    {
        let split = Split::seeded(rows, Seed(1)).expect("enough rows");
        assert_eq!([split.train.len(), split.validation.len(), split.test.len()], sizes, "{rows} rows");
        let mut all = [split.train.clone(), split.validation.clone(), split.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..rows).collect::<Vec<_>>());
        assert_eq!(split, Split::seeded(rows, Seed(1)).expect("enough rows"));
        assert!(rows < 10 || split != Split::seeded(rows, Seed(2)).expect("enough rows"));
    }
    assert!(Split::seeded(2, Seed(1)).is_err());
    assert!(Split::seeded(0, Seed(1)).is_err());
}

#[test]
fn training_rows_alone_set_the_units() {
    let table = Dataset::Diabetes.read(None).expect("an embedded table");
    let parts = Parts::of(&table, Seed(1), Statistics::Training).expect("parts");
    let column = |part: &Part, column: usize| Scale::of(part.features.iter().skip(column).step_by(10).copied());
    for scale in (0..10).map(|at| column(&parts.train, at)).chain([Scale::of(parts.train.targets.iter().copied())]) {
        assert!(scale.mean.abs() < 1e-12 && (scale.deviation - 1.0).abs() < 1e-12, "{scale:?}");
    }
    let whole = Parts::of(&table, Seed(1), Statistics::Whole).expect("parts");
    let all = [whole.train.targets, whole.validation.targets, whole.test.targets].concat();
    let scale = Scale::of(all.iter().copied());
    assert!(scale.mean.abs() < 1e-12 && (scale.deviation - 1.0).abs() < 1e-12, "{scale:?}");
    assert_ne!(whole.standardizer, parts.standardizer);
    // Back in the table's units, the rows are those of the split.
    let split = Split::seeded(table.rows(), Seed(1)).expect("enough rows");
    let Scale { mean, deviation } = parts.standardizer.target;
    for (standardised, row) in parts.test.targets.iter().zip(&split.test) {
        assert!((standardised * deviation + mean - table.targets[*row]).abs() < 1e-9);
    }
}

#[test]
fn scales_are_usable_whatever_the_values() {
    let of = |values: &[f64]| Scale::of(values.iter().copied());
    assert_eq!(of(&[1.0, 3.0]), Scale { mean: 2.0, deviation: 1.0 });
    assert_eq!(of(&[0.1; 7]), Scale { mean: 0.1, deviation: 1.0 });
    assert_eq!(of(&[]), Scale { mean: 0.0, deviation: 1.0 });
    // Their squares are zero.
    let tiny = of(&[1e-200, 3e-200]);
    assert!((tiny.standardised(3e-200) - 1.0).abs() < 1e-12, "{tiny:?}");
    assert_eq!(of(&[1e30, -1e30]).deviation, 1e30);
}

#[test]
fn values_beyond_single_precision_are_reported() {
    let mut table = table(&numbers(50), &Target::default());
    let test = Split::seeded(50, Seed(1)).expect("enough rows").test[0];
    table.features.iter_mut().for_each(|value| *value *= 1e-30);
    table.features[2 * test] = 1e30;
    let error = Parts::of(&table, Seed(1), Statistics::Training).expect_err("an outlier").to_string();
    assert!(error.contains("\"column 1\" has a value") && error.contains("deviations from its mean"), "{error}");
}

#[test]
fn published_tables_are_verified() {
    for dataset in Dataset::ALL {
        assert_eq!(serde_json::to_value(dataset).expect("a name"), dataset.name());
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let wrong = Dataset::Elevators.file(directory.path());
    fs::write(&wrong, numbers(10)).expect("a file");
    let error = format!("{:#}", Dataset::Elevators.read(Some(directory.path())).expect_err("another file"));
    assert!(error.contains("elevators.csv: it has SHA-256") && error.contains("use the original file"), "{error}");
    let error = format!("{:#}", Dataset::Elevators.read(None).expect_err("no directory"));
    assert!(error.contains("put elevators.csv into a directory"), "{error}");

    let options = Options { directory: Some(directory.path().into()), ..Options::default() };
    for dataset in Dataset::ALL {
        let found = dataset.survey(&options).expect("a directory").pop();
        let told = format!("{found:?}");
        match (dataset, found.map(|found| (found.path, found.state))) {
            (Dataset::Elevators, Some((path, Err(_)))) => assert_eq!(path, Some(wrong.clone())),
            (Dataset::WineQuality, Some((None, Ok(table)))) => {
                assert_eq!((table.count, table.note.as_str(), table.proof), (1_599, " (11 features)", Proof::Verified));
            }
            (Dataset::Diabetes, Some((None, Ok(table)))) => assert_eq!(table.count, 441),
            (_, None) => assert!(!dataset.is_embedded()),
            _ => panic!("{told}"),
        }
    }
}

#[test]
fn wine_is_rated_from_three_to_eight() {
    let table = Dataset::WineQuality.read(None).expect("an embedded table");
    let (least, most) = table.targets.iter().fold((9.0, 0.0), |(l, h), q| (f64::min(l, *q), f64::max(h, *q)));
    assert_eq!((table.target.as_str(), least, most), ("quality", 3.0, 8.0));
    assert_eq!((table.columns[0].as_str(), table.row(0)[0]), ("fixed acidity", 7.4));
}

#[test]
fn what_is_noted_of_a_table_suffices_to_read_it_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("my (own) prices.csv");
    fs::write(&path, numbers(10)).expect("a file");
    let own = Origin::of(path.to_str().expect("a plain path"), &Target::column("1")).expect("a path");
    let wine = Origin::of("winequality", &Target::default()).expect("a name");
    let bikes = Origin::of("bikesharing", &Target::default()).expect("a name");
    assert_eq!([&own, &wine, &bikes].map(Origin::words), ["file", "inside the program", "published"]);
    assert_eq!([&own, &wine, &bikes].map(Origin::needs_directory), [false, false, true]);
    let tables = read_all(vec![own.clone(), wine], None).expect("tables");
    let (table, noted) = &tables[0];
    assert_eq!((noted.name.as_str(), noted.rows, noted.features), ("my--own--prices", 10, 2));
    assert_eq!(&noted.read(None).expect("the same table"), table);
    let told = format!("{:#}", read_all(vec![own.clone(), own], None).expect_err("one name twice"));
    assert!(told.contains("two tables have the name my--own--prices; rename a file"), "{told}");
    fs::write(&path, numbers(11)).expect("a file");
    let told = format!("{:#}", noted.read(None).expect_err("another table"));
    assert!(told.contains("it is another table my--own--prices: its SHA-256 was "), "{told}");
    assert!(Origin::of("", &Target::default()).is_err());
}
