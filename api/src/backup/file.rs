//! Where a backup is written to and read from: a file that appears only once it is whole, or a pipe.

use anyhow::{Context, bail, ensure};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const PIPE: &str = "-";

/// Where a backup goes.
pub(super) enum Output {
    /// A file: written beside its place under another name, readable by its owner alone.
    File {
        /// The draft, which is deleted unless it is kept.
        draft: BufWriter<NamedTempFile>,
        /// Where it goes.
        path: PathBuf,
        /// Whether it may replace a file.
        replace: bool,
    },
    /// The standard output.
    Pipe(BufWriter<io::Stdout>),
}

impl Output {
    /// Opens it.
    ///
    /// # Errors
    /// When the file exists and may not be replaced, or the folder can't be written to.
    pub(super) fn open(path: &Path, replace: bool) -> anyhow::Result<Self> {
        if path == Path::new(PIPE) {
            return Ok(Self::Pipe(BufWriter::new(io::stdout())));
        }
        if let Ok(found) = fs::symlink_metadata(path) {
            ensure!(
                found.is_file(),
                "{} is not a regular file; write to another path, or to - for a pipe",
                path.display()
            );
            ensure!(replace, "{} exists; add --force to replace it, or write to another path", path.display());
        }
        let folder = folder_of(path);
        let draft = tempfile::Builder::new()
            .prefix(".terarchitect-backup-")
            .suffix(".part")
            .tempfile_in(folder)
            .with_context(|| format!("could not create a file in {}", folder.display()))?;
        Ok(Self::File { draft: BufWriter::new(draft), path: path.to_owned(), replace })
    }

    /// Puts the file in its place, once the disk has it.
    ///
    /// # Errors
    /// When the disk refuses it, or another program has created the file meanwhile.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let Self::File { draft, path, replace } = self else { return Ok(()) };
        let draft = draft.into_inner().map_err(io::IntoInnerError::into_error).map_err(not_written)?;
        draft.as_file().sync_all().map_err(not_written)?;
        let kept = if replace { draft.persist(&path) } else { draft.persist_noclobber(&path) };
        kept.map_err(|error| error.error).with_context(|| format!("could not create {}", path.display()))?;
        let folder = File::open(folder_of(&path)).and_then(|folder| folder.sync_all());
        folder.with_context(|| format!("could not create {}", path.display()))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { draft, .. } => draft.write(bytes),
            Self::Pipe(pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { draft, .. } => draft.flush(),
            Self::Pipe(pipe) => pipe.flush(),
        }
    }
}

/// Says that writing failed; a full disk is named.
pub(super) fn not_written(error: io::Error) -> anyhow::Error {
    let full =
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge);
    let text = if full {
        "there is no room for the backup; free space, or write it to another disk; no file was left"
    } else {
        "could not write the backup; no file was left"
    };
    anyhow::Error::new(error).context(text)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a backup to read it, twice: what comes through a pipe is stored in a nameless file first.
///
/// # Errors
/// When it can't be read.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    if path != Path::new(PIPE) {
        let file = File::open(path).with_context(|| format!("could not read {}", path.display()))?;
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            bail!("{} is not a regular file; pipe it in, and give - as the file", path.display());
        }
        return Ok(file);
    }
    let failed = "could not store what comes through the pipe in the temporary directory; set TMPDIR to one with room";
    let mut file = tempfile::tempfile().context(failed)?;
    io::copy(&mut io::stdin().lock(), &mut file).context(failed)?;
    Ok(file)
}
