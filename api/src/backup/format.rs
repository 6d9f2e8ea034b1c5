//! The file: two lines of text, a compressed stream of rows, and a checksum of all before it.
//!
//! The first line names the format, the second is the [`Header`] as JSON, so that `head -2` shows what a backup is. The
//! stream consists of frames: a letter, the length of the rest in four bytes, and the rest. The last frame is the
//! [`Totals`]. The file ends with the SHA-256 of everything before it, so that a cut or damaged file is noticed.

use crate::backup::key::WrappedKey;
use crate::db::backup::{Applied, Sequence, Table};
use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take, Write};

/// The first line of every backup, with the version of the format.
const MAGIC: &str = "terarchitect-backup 1\n";
const NAME: &str = "terarchitect-backup ";
const CHECKSUM_BYTES: u64 = 32;
/// The longest header, in bytes; it holds names and numbers only.
const MAX_HEADER: u64 = 1 << 20;
const TABLE: u8 = b'T';
const ROWS: u8 = b'R';
const END: u8 = b'E';

/// What a backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the Postgres that it comes from.
    pub postgres: String,
    /// The migrations of its tables.
    pub schema: Vec<Applied>,
    /// How far numbers have been given out.
    pub sequences: Vec<Sequence>,
    /// The keys that its secrets are sealed with.
    pub key_ids: Vec<String>,
    /// The key, if it is inside.
    pub key: Option<WrappedKey>,
}

/// How many rows each table has.
pub type Totals = BTreeMap<String, u64>;

/// What comes next in a backup.
#[derive(Debug)]
pub enum Frame {
    /// The rows that follow are of this table.
    Table(Table),
    /// Some bytes of rows.
    Rows(Vec<u8>),
    /// Nothing follows.
    End(Totals),
}

/// Writes a backup.
pub struct Writer<W: Write> {
    stream: GzEncoder<Hashing<W>>,
}

impl<W: Write> Writer<W> {
    /// Begins it.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn begin(to: W, header: &Header) -> io::Result<Self> {
        let mut hashing = Hashing { to, hash: Sha256::new() };
        hashing.write_all(MAGIC.as_bytes())?;
        hashing.write_all(serde_json::to_string(header)?.as_bytes())?;
        hashing.write_all(b"\n")?;
        Ok(Self { stream: GzEncoder::new(hashing, Compression::fast()) })
    }

    /// Begins a table.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        self.frame(TABLE, &serde_json::to_vec(table)?)
    }

    /// Some bytes of rows.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn rows(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(ROWS, bytes)
    }

    /// Ends it, with its checksum.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn end(mut self, totals: &Totals) -> io::Result<W> {
        self.frame(END, &serde_json::to_vec(totals)?)?;
        let Hashing { mut to, hash } = self.stream.finish()?;
        to.write_all(&hash.finalize())?;
        to.flush()?;
        Ok(to)
    }

    fn frame(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.stream.write_all(&[kind])?;
        self.stream.write_all(&length.to_be_bytes())?;
        self.stream.write_all(bytes)
    }
}

struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads a backup whose checksum is right.
pub struct Reader {
    /// What it says of itself.
    pub header: Header,
    stream: GzDecoder<Take<BufReader<File>>>,
}

impl Reader {
    /// Reads the whole file once to check it, then begins to read it.
    ///
    /// # Errors
    /// When the file is not a whole backup of a format that this program knows; a sentence for the terminal.
    pub fn open(mut file: File) -> anyhow::Result<Self> {
        let length = file.seek(SeekFrom::End(0)).context("could not read the backup")?;
        file.rewind().context("could not read the backup")?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        check_first_line(&mut reader)?;
        let after = length.checked_sub(CHECKSUM_BYTES).context(CUT)?;
        check_sum(&mut reader, after)?;
        reader.rewind().context("could not read the backup")?;
        let mut stream = reader.take(after);
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).context("could not read the backup")?;
        line.clear();
        (&mut stream).take(MAX_HEADER).read_until(b'\n', &mut line).context("could not read the backup")?;
        let header = serde_json::from_slice(&line)
            .context("the header of the backup can't be read; restore it with the terarchitect-api that wrote it")?;
        Ok(Self { header, stream: GzDecoder::new(stream) })
    }

    /// What comes next.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn next_frame(&mut self) -> anyhow::Result<Frame> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).context("could not read the backup")?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length);
        let mut bytes = Vec::new();
        let read =
            (&mut self.stream).take(length.into()).read_to_end(&mut bytes).context("could not read the backup")?;
        ensure!(u32::try_from(read).is_ok_and(|read| read == length), CUT);
        Ok(match kind {
            TABLE => Frame::Table(serde_json::from_slice(&bytes).context("could not read the backup")?),
            ROWS => Frame::Rows(bytes),
            END => Frame::End(serde_json::from_slice(&bytes).context("could not read the backup")?),
            _ => bail!(CUT),
        })
    }
}

const CUT: &str =
    "the backup is incomplete or damaged: its checksum is wrong; nothing was changed; use another copy of it";

fn check_first_line(reader: &mut impl BufRead) -> anyhow::Result<()> {
    let mut line = Vec::new();
    reader.take(MAGIC.len() as u64).read_until(b'\n', &mut line).context("could not read the backup")?;
    if line == MAGIC.as_bytes() {
        return Ok(());
    }
    ensure!(!line.is_empty(), CUT);
    if line.starts_with(NAME.as_bytes()) {
        bail!(
            "the backup has a newer format than this program knows; restore it with the terarchitect-api that wrote it"
        );
    }
    bail!("this is not a backup that 'terarchitect-api backup' wrote");
}

/// Compares the checksum at the end with that of the `length` bytes before it.
fn check_sum<R: Read + Seek>(reader: &mut R, length: u64) -> anyhow::Result<()> {
    reader.rewind().context("could not read the backup")?;
    let mut hash = Sha256::new();
    let mut left = length;
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = reader.read(&mut buffer[..most]).context("could not read the backup")?;
        ensure!(read > 0, CUT);
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    let mut stored = Vec::new();
    reader.read_to_end(&mut stored).context("could not read the backup")?;
    ensure!(stored == hash.finalize().as_slice(), CUT);
    Ok(())
}
