//! `han-exp mnist-attack`

use super::data::ImageSource;
use super::evaluate::Foreign;
use super::{Chosen, Exit, Running, Workplace, answer, ending, stop_on_interrupt};
use crate::config::robustness::{
    AttackSpec, Flags, Precision, Robustness, RobustnessFile, Sizes, TrainingSpec, WeightsFile, WeightsSource, size,
};
use crate::console;
use crate::data::images::{self, Dataset, ImageData};
use crate::evaluate::attack::{Attack, Norm, ROWS, Stop};
use crate::experiment::progress::Progress;
use crate::experiment::robustness::{Attacker, CLASSES, Export, Trainer};
use crate::experiment::scheduler::{Batch, Scheduler};
use crate::report::{self, Remembered};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use clap::{ArgAction, Args};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Compiled in, so that the binary works anywhere.
const EXPERIMENT: &str = include_str!("../../experiments/mnist-attack.toml");

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) setting: Setting,
    #[command(flatten)]
    pub(super) running: Running,
    /// Images attacked at a time on each thread; no result depends on it
    #[arg(long, default_value_t = ROWS, value_name = "N")]
    batch: usize,
    /// Write the attacked images, what the attacks made of them, weights and radii to this .npz or .safetensors file, 3 KB
    /// for each image, attack and size; attacks are made again for it
    #[arg(long, value_name = "FILE")]
    export_adversarial: Option<PathBuf>,
    /// Exit with code 3 when an expectation of the experiment file is missed
    #[arg(long)]
    strict: bool,
}

/// What to run: the experiment file, a profile, and flags over both.
#[derive(Debug, Clone, Args)]
pub(super) struct Setting {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Networks: hannet, fcnet, certified and others of the experiment file
    #[arg(long, value_delimiter = ',', value_name = "MODEL,..")]
    models: Option<Vec<String>>,
    /// Attack these weights (.safetensors, or a PyTorch state dict) instead of training: FILE for the only model,
    /// MODEL=FILE for one of several. A FILE that exists as typed, with commas and equals signs, is taken as one
    #[arg(long, value_name = "[MODEL=]FILE,..")]
    weights: Vec<OsString>,
    #[command(flatten)]
    foreign: Foreign,
    /// mnist or fashion-mnist
    #[arg(long, value_parser = dataset, value_name = "NAME")]
    dataset: Option<Dataset>,
    /// Width of the hidden layers: N for the first of the models (HanNet), MODEL=N for another
    #[arg(long, value_delimiter = ',', value_name = "[MODEL=]N,..")]
    width: Vec<crate::config::Sized>,
    /// Number of hidden layers: N for the first of the models, MODEL=N for another
    #[arg(long, value_delimiter = ',', value_name = "[MODEL=]N,..")]
    depth: Vec<crate::config::Sized>,
    /// Passes over the training images
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Independent repetitions
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    /// Seed of the first repetition; the others follow
    #[arg(long, value_name = "N")]
    first_seed: Option<u64>,
    /// The only norm of perturbations: linf or l2 [default: both]
    #[arg(long, value_enum)]
    norm: Option<Norm>,
    /// Sizes of the ball at which every attack is made, in --norm, or in Linf if none is given; pixels are in 0 to 1.
    /// Numbers such as 0.05 or quotients such as 8/255; in an experiment file numbers alone
    #[arg(long, value_delimiter = ',', value_parser = size, value_name = "EPS,..", allow_negative_numbers = true)]
    eps: Option<Vec<f64>>,
    /// Sizes of the ball for the charts, likewise; off for none
    #[arg(long, value_name = "EPS,..|off", allow_hyphen_values = true)]
    sweep: Option<Sizes>,
    /// Attacks at every size of --eps; auto is the standard cascade of AutoAttack
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ATTACK,..")]
    attacks: Option<Vec<Attack>>,
    /// Test images that are attacked, chosen at random
    #[arg(long, value_name = "N")]
    n: Option<usize>,
    /// Images of the checklist for hidden gradients, which is made for the first seed; 0 for none
    #[arg(long, value_name = "N")]
    checklist: Option<usize>,
    /// Whether to certify radii [default: true]
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    certify: Option<bool>,
    /// Steps of iterative attacks; deepfool, the bisection and the checklist have their own
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Runs of pgd, mt-pgd, apgd and fab-t for each loss or class, all but the first from random points; auto makes one
    #[arg(long, value_name = "N")]
    restarts: Option<usize>,
    /// Numbers in which networks compute under attack; f64 to compare with other programs, whose rounding differs
    #[arg(long, value_enum, default_value_t)]
    precision: Precision,
    /// Proposals of Square
    #[arg(long, value_name = "N")]
    queries: Option<usize>,
    #[command(flatten)]
    source: ImageSource,
}

/// How to run it.
pub(super) struct How<'h> {
    running: &'h Running,
    batch: usize,
    export: Option<&'h Export>,
    strict: bool,
}

impl<'h> How<'h> {
    /// Without an export.
    pub(super) fn of(running: &'h Running, strict: bool) -> Self {
        Self { running, batch: ROWS, export: None, strict }
    }
}

fn dataset(name: &str) -> Result<Dataset, String> {
    let found = [Dataset::Mnist, Dataset::FashionMnist].into_iter().find(|dataset| dataset.name() == name);
    found.ok_or_else(|| "use mnist or fashion-mnist".into())
}

/// The runs of a command.
pub(super) struct Plan {
    pub experiment: Robustness,
    pub data: ImageData,
    /// SHA-256 of pixels and labels.
    pub data_hash: String,
    pub trainings: Vec<TrainingSpec>,
    pub attacks: Vec<AttackSpec>,
}

impl Setting {
    /// The same with images from elsewhere.
    pub(super) fn with_source(self, source: ImageSource) -> Self {
        Self { source, ..self }
    }

    /// The file with profile and flags applied.
    fn resolve(&self) -> Result<RobustnessFile> {
        let (text, origin) = self.chosen.text(EXPERIMENT, "mnist-attack")?;
        let flags = Flags {
            width: self.width.clone(),
            depth: self.depth.clone(),
            dataset: self.dataset,
            epochs: self.epochs,
            seeds: self.seeds,
            first_seed: self.first_seed,
            norm: self.norm,
            eps: self.eps.clone(),
            sweep: self.sweep.clone(),
            attacks: self.attacks.clone(),
            images: self.n,
            checklist_images: self.checklist,
            certify: self.certify,
            steps: self.steps,
            restarts: self.restarts,
            queries: self.queries,
            precision: self.precision,
        };
        let file = RobustnessFile::parse(&text, &origin)?;
        file.with_profile(self.chosen.profile, self.models.as_deref())?.with_flags(&flags)
    }

    /// Checks everything, finds the images, and lists the runs.
    pub(super) fn plan(&self, device: &str) -> Result<Plan> {
        let experiment = self.resolve()?.check()?;
        experiment.warnings().iter().for_each(|warning| console::note(&format!("warning: {warning}")));
        let data = images::load(experiment.dataset, &self.source.options())?;
        let data_hash = data.hash();
        let set = experiment.image_set(data.is_sample(), data_hash.clone());
        let all = experiment.trainings(&set, data.train.len(), device)?;
        let given: Vec<WeightsFile> = self.weights.iter().flat_map(|value| WeightsFile::list(value)).collect();
        let mut attacks = experiment.attacks(&all, &given, &set, data.test.len(), device)?;
        attacks.iter_mut().for_each(|attack| attack.precision = self.precision);
        self.check_weights(&mut attacks, data.test.features())?;
        // What is given as a file need not be trained.
        let needed = |training: &TrainingSpec| attacks.iter().any(|attack| attack.uses(training));
        let trainings = all.into_iter().filter(needed).collect();
        Ok(Plan { experiment, data, data_hash, trainings, attacks })
    }

    /// Weights of another network are refused before anything is trained.
    fn check_weights(&self, attacks: &mut [AttackSpec], inputs: usize) -> Result<()> {
        let given = self.foreign.hints()?;
        let mut checked: Vec<String> = Vec::new();
        for attack in attacks {
            let WeightsSource::File { path, hints, .. } = &mut attack.weights else { continue };
            hints.clone_from(&given);
            if !checked.contains(&attack.arm) {
                let model = attack.model.build(inputs, CLASSES, attack.seed, &Device::Cpu)?;
                self.foreign.load(&model.parameters, path, hints).with_context(|| format!("model {}", attack.arm))?;
                checked.push(attack.arm.clone());
            }
        }
        ensure!(
            given.is_empty() || checked.len() < 2,
            "--key, --order and --map are about one file of --weights, not two"
        );
        Ok(())
    }
}

pub(super) fn run(arguments: Arguments) -> Result<Exit> {
    let stop = stop_on_interrupt()?;
    let export = arguments.export_adversarial.as_deref().map(Export::new).transpose()?;
    let Arguments { setting, running, batch, strict, .. } = &arguments;
    execute(setting, &How { running, batch: *batch, export: export.as_ref(), strict: *strict }, &stop)
}

/// The stages in order: check, plan, train, attack, write, draw, tell.
pub(super) fn execute(setting: &Setting, how: &How<'_>, stop: &AtomicBool) -> Result<Exit> {
    let &How { running, batch, export, strict } = how;
    let device = running.open_device()?;
    let Plan { experiment, data, data_hash, trainings, mut attacks } = setting.plan(device.kind)?;
    if export.is_some() {
        let images = attacks.first().map_or(0, |attack| attack.images);
        let same = attacks.iter().all(|attack| attack.images == images);
        ensure!(same, "--export-adversarial: networks are attacked on different numbers of images; say --n");
        // Other programs return the last iterates of all steps.
        attacks.iter_mut().for_each(|attack| attack.stop = Stop::Never);
    }

    let workplace = Workplace::take(running, device, &experiment.name)?;
    let store = &workplace.store;
    let remembered = Remembered::Robustness {
        experiment: Box::new(experiment.file().clone()),
        trainings: trainings.clone(),
        attacks: attacks.clone(),
    };
    remembered.save(store)?;
    let scheduler = workplace.scheduler(stop);
    let trained =
        scheduler.run(&Trainer { data: &data, data_hash: &data_hash }, &trainings, &Progress::new(running.quiet))?;
    let attacker = Attacker { data: &data, data_hash: &data_hash, store, batch, export };
    // What a finished run has left lacks the images that an export wants.
    let scheduler = Scheduler { force: running.force || export.is_some(), ..scheduler };
    let attacked = match trained.interrupted {
        true => Batch { finished: Vec::new(), interrupted: true },
        false => scheduler.run(&attacker, &attacks, &Progress::new(running.quiet))?,
    };
    let planned = trainings.len() + attacks.len();
    let report = report::robustness::write(store, &experiment, planned, &trained.finished, &attacked.finished)?;
    answer(&report.text);
    if let Some(export) = export.filter(|_| !attacked.interrupted) {
        export.write()?;
    }
    Ok(ending(trained.finished.len() + attacked.finished.len(), planned, &report, strict))
}
