//! Published tables by name.

use super::{Pin, Table, Target, embedded, file};
use crate::files;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// A published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dataset {
    /// Bicycles hired in an hour (Fanaee-T and Gama 2013).
    BikeSharing,
    /// House prices in the districts of California (Pace and Barry 1997).
    CalHousing,
    /// Control of the elevators of an aircraft (Torgo).
    Elevators,
    /// Severity of Parkinson's disease from recordings of the voice (Tsanas et al. 2009).
    Parkinsons,
    /// Delay of the actions of players of a strategy game (Thompson et al. 2013).
    SkillCraft,
    /// Quality of Portuguese red wine, 3 to 8, as a number (Cortez et al. 2009).
    WineQuality,
    /// Progress of diabetes in a year (Efron et al. 2004).
    Diabetes,
}

impl Dataset {
    /// Every table.
    pub const ALL: [Self; 7] = [
        Self::BikeSharing,
        Self::CalHousing,
        Self::Elevators,
        Self::Parkinsons,
        Self::SkillCraft,
        Self::WineQuality,
        Self::Diabetes,
    ];

    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::BikeSharing => "bikesharing",
            Self::CalHousing => "calhousing",
            Self::Elevators => "elevators",
            Self::Parkinsons => "parkinsons",
            Self::SkillCraft => "skillcraft",
            Self::WineQuality => "winequality",
            Self::Diabetes => "diabetes",
        }
    }

    /// Whether it is inside the program; the others are files in a directory.
    pub fn is_embedded(self) -> bool {
        match self {
            Self::BikeSharing | Self::CalHousing | Self::Elevators | Self::Parkinsons | Self::SkillCraft => false,
            Self::WineQuality | Self::Diabetes => true,
        }
    }

    /// What it must be.
    pub fn pin(self) -> Pin {
        match self {
            Self::BikeSharing => {
                Pin::of(17_379, 15, "282e3dbd3dd7d57d0d9ff4823bdb2cad8bc8b3e7a4de0221269e343b44183bd3")
            }
            Self::CalHousing => Pin::of(20_640, 8, "b2d229a00235fa044765d63f54b174b36ac0a0a743a1c101c9aabebb4cdb8855"),
            Self::Elevators => Pin::of(16_599, 18, "b0bb077a7b59214ad763e38ef2ba06209ebc5e8f91f3de2117ecbfc61f453bb5"),
            Self::Parkinsons => Pin::of(5_875, 20, "30e8a60d30859fe6c82ea56f936f03620474053615c6e36998e57ec5b0ada213"),
            Self::SkillCraft => Pin::of(3_338, 19, "ff535833c293a56d0724c80dfb945a8ff1dd0341643cf50657c81f10b6d76ab1"),
            Self::WineQuality => Pin::of(1_599, 11, "81bfa657421d04065bf21470c16cd3a4a04c5f4b8ed009313f2530f8ea1d0726"),
            Self::Diabetes => Pin::of(441, 10, "19bcf27eae860de53fdc6c75dbb19f11905618884c09c029be3693a66752a239"),
        }
    }

    /// Where its file is in a directory: CSV without a header, the target last.
    pub fn file(self, directory: &Path) -> PathBuf {
        directory.join(format!("{self}.csv"))
    }

    /// Reads it and compares it with its [`pin`](Self::pin). A table inside the program needs no directory.
    ///
    /// # Errors
    /// When it needs a directory and there is none, or the file cannot be read or is another one than the original.
    pub fn read(self, directory: Option<&Path>) -> Result<Table> {
        match self {
            Self::WineQuality => return embedded::wine_quality(self.name(), &self.pin()),
            Self::Diabetes => return embedded::diabetes(self.name(), &self.pin()),
            Self::BikeSharing | Self::CalHousing | Self::Elevators | Self::Parkinsons | Self::SkillCraft => {}
        }
        let needed =
            || format!("{self} is not inside the program; put {self}.csv into a directory and give --data-dir");
        let path = self.file(directory.with_context(needed)?);
        let bytes = file::bytes(&path)?;
        // Before the contents: what is wrong with another file is of no interest.
        let checked = self.pin().check(&files::sha256(&bytes));
        checked
            .and_then(|()| file::parse(self.name(), &bytes, &Target::default()))
            .with_context(|| path.display().to_string())
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
