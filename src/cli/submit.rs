//! `han-exp submit`: a plan as job arrays of Slurm, stage after stage, and a job that draws what they have made.

use super::{Exit, nested};
use crate::console::{answer, note};
use crate::device::DeviceChoice;
use crate::engine::{Outline, quoted};
use crate::experiment::VERBS;
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process;

/// What Slurm has to know. What is not said here comes from the file of the site, and what is not said there from the
/// cluster.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Site {
    /// Partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Time limit of a task, in Slurm's format; a task that does not finish in time is requeued and resumes
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// GPUs of a task
    #[arg(long, value_name = "NUMBER")]
    gpus: Option<u16>,
    /// Cores of a task; without a GPU also the number of runs at a time
    #[arg(long, value_name = "NUMBER")]
    cores: Option<u16>,
    /// Memory of a task, as Slurm writes it
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Tasks that run at the same time
    #[arg(long, value_name = "NUMBER")]
    max_parallel: Option<u16>,
    /// Tasks that share a stage [default: as many as it has runs, at most 32]
    #[arg(long, value_name = "NUMBER")]
    tasks: Option<u16>,
    /// Seconds before its time limit at which a task is warned, saves its state and requeues itself; the limit should be some
    /// minutes longer [default: 120]
    #[arg(long, value_name = "SECONDS")]
    warning: Option<u32>,
    /// Lines before the program starts, such as `module load cuda`
    #[arg(skip)]
    setup: Vec<String>,
    /// More options of sbatch, such as `--constraint=a100`
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
}

/// The flags of `submit` itself.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    site: Site,
    /// Defaults for these flags in TOML, such as partition = "gpu" [default: han-exp/slurm.toml in the user's configuration
    /// directory, if it exists]
    #[arg(long, value_name = "FILE")]
    site_file: Option<PathBuf>,
    /// Print the scripts, and submit nothing
    #[arg(long)]
    dry_run: bool,
}

/// Tasks of a stage that nobody gave a number for.
const MOST_TASKS: usize = 32;
/// Seconds between the warning and the time limit.
const WARNING: u32 = 120;

/// Flags of the experiment's command that the scripts set, or that mean nothing there.
const REFUSED: [(&str, &str); 7] = [
    ("force", "it submits only the runs that are missing"),
    ("svg", "report --svg draws them when all runs are there"),
    ("jobs", "see --cores"),
    ("shard", "see --tasks"),
    ("stage", "it submits all stages"),
    ("run", "see --tasks"),
    ("strict", "its jobs judge nothing; the experiment's own command does, when all runs are there"),
];

/// The command of an experiment, with the flags of `submit` and without those that it refuses.
pub(super) fn command(of_verb: Command) -> Command {
    REFUSED
        .into_iter()
        .fold(Arguments::augment_args(of_verb), |command, (flag, _)| command.mut_arg(flag, |arg| arg.hide(true)))
}

pub(super) fn run(matches: &ArgMatches) -> Result<Exit> {
    let (verb, matches) = nested(matches)?;
    let arguments = Arguments::from_arg_matches(matches)?;
    let site = arguments.site(matches)?;
    for (flag, why) in REFUSED {
        let typed = matches.value_source(flag) == Some(ValueSource::CommandLine);
        ensure!(!typed, "submit takes no --{flag}: {why}");
    }
    let unnamed = cfg!(feature = "cuda") && matches.get_one::<DeviceChoice>("device") == Some(&DeviceChoice::Auto);
    ensure!(!unnamed, "--device auto looks at this machine, not at those that make the runs; use cpu or cuda");
    let outline = verb.kind.outline(VERBS, verb, matches)?;
    outline.ensure_parts()?;
    let out = outline.out.clone();
    let missing = outline.missing();
    let mut stages: Vec<(usize, usize)> = missing.iter().zip(1..).map(|(runs, stage)| (stage, *runs)).collect();
    stages.retain(|(_, runs)| *runs > 0);
    if stages.is_empty() {
        answer(&format!("{}: all {} runs are finished\n", outline.name, outline.runs.len()));
        return Ok(Exit::Success);
    }
    let logs = out.join("slurm");
    let plain = |c: char| !c.is_whitespace() && c != '%';
    ensure!(
        logs.to_string_lossy().chars().all(plain),
        "--out: Slurm accepts no path with spaces or %; use another directory"
    );
    if !arguments.dry_run {
        std::fs::create_dir_all(&logs).with_context(|| format!("--out: cannot make {}", logs.display()))?;
    }
    let here = std::env::current_dir().context("cannot tell the current directory")?;
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let script = Script { outline: &outline, site: &site, logs: &logs, here: &here, program: &program };
    let mut before: Option<String> = None;
    for (stage, runs) in stages {
        let tasks = site.tasks.map_or(runs.clamp(1, MOST_TASKS), usize::from);
        let text = script.stage(stage, missing.len(), tasks);
        before =
            hand_over(&arguments, &logs.join(format!("{}-stage{stage}.sh", outline.name)), &text, before.as_deref())?;
    }
    let text = script.report(&out);
    hand_over(&arguments, &logs.join(format!("{}-report.sh", outline.name)), &text, before.as_deref())?;
    Ok(Exit::Success)
}

impl Arguments {
    /// The flags over the file of the site.
    fn site(&self, matches: &ArgMatches) -> Result<Site> {
        let usual = || {
            let settings = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let settings =
                settings.or_else(|| Some(std::env::home_dir().filter(|home| home.is_absolute())?.join(".config")))?;
            Some(settings.join("han-exp/slurm.toml")).filter(|path| path.exists())
        };
        let Some(path) = self.site_file.clone().or_else(usual) else { return self.site.clone().checked() };
        let text = files::read_text(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut site: Site = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let sbatch = [&site.sbatch[..], &self.site.sbatch].concat();
        site.update_from_arg_matches(matches)?;
        Site { sbatch, ..site }.checked()
    }
}

impl Site {
    fn checked(self) -> Result<Self> {
        let counts = [("cores", self.cores), ("max-parallel", self.max_parallel), ("tasks", self.tasks)];
        if let Some((flag, _)) = counts.iter().find(|(_, count)| *count == Some(0)) {
            bail!("--{flag} is 0, here or in the file of the site; use at least 1, or leave it out");
        }
        // With 0 a flag takes back what the file says.
        Ok(Self { gpus: self.gpus.filter(|gpus| *gpus > 0), ..self })
    }
}

/// Prints a script, or writes it and gives it to sbatch; then the number of the job.
fn hand_over(arguments: &Arguments, path: &Path, text: &str, after: Option<&str>) -> Result<Option<String>> {
    if arguments.dry_run {
        let shown = after.map(|after| format!("# sbatch --dependency=afterany:{after}\n")).unwrap_or_default();
        answer(&format!("# {}\n{shown}{text}\n", path.display()));
        return Ok(Some(format!("<job of {}>", path.file_stem().unwrap_or_default().to_string_lossy())));
    }
    files::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    let mut sbatch = process::Command::new("sbatch");
    sbatch.arg("--parsable");
    if let Some(after) = after {
        sbatch.arg(format!("--dependency=afterany:{after}"));
    }
    let ended = match sbatch.arg(path).output() {
        Ok(ended) => ended,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "sbatch is not on this machine; --dry-run prints the scripts, and plan --format commands needs no Slurm"
            )
        }
        Err(error) => return Err(error).context("cannot start sbatch"),
    };
    let told = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "sbatch refused {}: {}", path.display(), told.trim());
    let answered = String::from_utf8_lossy(&ended.stdout);
    // "number" or "number;cluster".
    let job = answered.trim().split(';').next().unwrap_or_default().to_string();
    note(&format!("submitted {} as job {job}", path.display()));
    Ok(Some(job))
}

/// What all scripts of a submission have in common.
struct Script<'s> {
    outline: &'s Outline,
    site: &'s Site,
    logs: &'s Path,
    here: &'s Path,
    program: &'s Path,
}

impl Script<'_> {
    /// A job array, a task a shard.
    fn stage(&self, stage: usize, stages: usize, tasks: usize) -> String {
        let site = self.site;
        let parallel = site.max_parallel.map(|most| format!("%{most}")).unwrap_or_default();
        let mut text = self.head(
            &format!("stage{stage}"),
            &format!("Stage {stage} of {stages} of: {}", self.outline.command.join(" ")),
            &[
                format!("--array=1-{tasks}{parallel}"),
                "--requeue".into(),
                "--open-mode=append".into(),
                // To this script, which hands it on as a polite kill. Another signal than that of scancel.
                format!("--signal=B:USR1@{}", site.warning.unwrap_or(WARNING)),
            ],
            "%x-%A_%a.log",
        );
        let jobs = site.cores.filter(|_| site.gpus.is_none()).map(|cores| format!(" --jobs {cores}"));
        let command = self.outline.command[1..].join(" ");
        let _ = write!(
            text,
            r#"
begun={logs}/begun-$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID
touch "$begun"
child=
warned=
trap 'warned=yes; [ -n "$child" ] && kill -TERM "$child"' USR1
trap : TERM
{program} {command}{jobs} --stage {stage} --shard "$SLURM_ARRAY_TASK_ID/{tasks}" &
child=$!
[ -n "$warned" ] && kill -TERM "$child"
wait "$child"
code=$?
# A signal ends the first wait; the program then saves the state of its runs.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
done
if [ -n "$warned" ] && [ "$code" -ne 0 ]; then
    saved=$(find {runs} -newer "$begun" \( -name '*.safetensors' -o -name manifest.json \) -print -quit)
    if [ -z "$saved" ]; then
        echo "error: nothing could be saved before the warning, and another turn would save nothing either; use a longer --time" >&2
        exit 1
    fi
    # Out of time: another turn goes on from the checkpoints.
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"#,
            program = quoted(&self.program.to_string_lossy()),
            logs = quoted(&self.logs.to_string_lossy()),
            runs = quoted(&self.outline.out.join("runs").join(&self.outline.name).to_string_lossy()),
            jobs = jobs.unwrap_or_default(),
        );
        text
    }

    /// The job that draws.
    fn report(&self, out: &Path) -> String {
        let mut text = self.head("report", "Tables, charts and pages of all runs", &[], "%x-%j.log");
        let (program, out) = (quoted(&self.program.to_string_lossy()), quoted(&out.to_string_lossy()));
        let _ = write!(text, "\nexec {program} report --out {out}\n");
        text
    }

    fn head(&self, part: &str, what: &str, own: &[String], log: &str) -> String {
        let site = self.site;
        let mut options = vec![
            format!("--job-name=han-exp-{}-{part}", self.outline.name),
            format!("--output={}/{log}", self.logs.display()),
        ];
        let named = [
            ("partition", site.partition.clone()),
            ("account", site.account.clone()),
            ("time", site.time.clone()),
            ("gpus", site.gpus.map(|gpus| gpus.to_string())),
            ("cpus-per-task", site.cores.map(|cores| cores.to_string())),
            ("mem", site.memory.clone()),
        ];
        options.extend(named.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?))));
        options.extend(own.iter().cloned());
        options.extend(site.sbatch.iter().cloned());
        let options: String = options.iter().map(|option| format!("#SBATCH {option}\n")).collect();
        let setup: String = site.setup.iter().map(|line| format!("{line}\n")).collect();
        let what = what.replace('\n', " ");
        format!("#!/bin/bash\n# {what}\n{options}\ncd {} || exit 1\n{setup}", quoted(&self.here.to_string_lossy()))
    }
}
