//! A pack as a zip archive. The same pack gives the same bytes: members are sorted, and have one time and one mode.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::super::verify::{Check, CheckResult, is_plain};
use super::MODE;
use crate::exit::{Error, reason};

/// Of all files of a pack together, in bytes: a larger one is not unpacked.
const MOST: u128 = 64 << 30;
/// From this size on a member needs other fields.
const LARGE: u64 = u32::MAX as u64;

/// Writes these files of the folder to an archive, one after the other. `time` is that of each member.
///
/// # Errors
/// What can't be read or written.
pub fn write(folder: &Path, names: &[String], time: DateTime<Utc>, to: File) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(to));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(member_time(time))
        .unix_permissions(MODE);
    for name in names {
        let mut file = File::open(folder.join(name))?;
        let is_large = file.metadata()?.len() >= LARGE;
        zip.start_file(name.as_str(), options.large_file(is_large)).map_err(system)?;
        io::copy(&mut file, &mut zip)?;
    }
    let mut to = zip.finish().map_err(system)?;
    to.flush()?;
    to.get_ref().sync_all()
}

/// A zip archive has years from 1980 to 2107.
fn member_time(time: DateTime<Utc>) -> zip::DateTime {
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(time.year()).unwrap_or_default();
    let (month, day) = (part(time.month()), part(time.day()));
    let time = (part(time.hour()), part(time.minute()), part(time.second()));
    zip::DateTime::from_date_and_time(year, month, day, time.0, time.1, time.2).unwrap_or_default()
}

/// The error of the system, where it is one.
fn system(why: zip::result::ZipError) -> io::Error {
    match why {
        zip::result::ZipError::Io(why) => why,
        why => io::Error::other(why),
    }
}

/// Whether a file is an archive of nothing but what its own `SHA256SUMS` names, so that a newer pack may replace it. An empty
/// file is no loss.
///
/// # Errors
/// It can't be read.
pub fn is_archive(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let Ok(mut zip) = ZipArchive::new(BufReader::new(file)) else { return Ok(false) };
    let mut text = String::new();
    let Ok(sums) = zip.by_name(super::SUMS) else { return Ok(false) };
    if sums.take(super::LONGEST).read_to_string(&mut text).is_err() {
        return Ok(false);
    }
    let Some(sums) = super::parse_sums(&text) else { return Ok(false) };
    let is_named = |name: &str| name == super::SUMS || sums.iter().any(|(_, named)| named == name);
    Ok(zip.file_names().all(|name| name.is_ok_and(|name| is_named(&name))))
}

/// Whether the archive has exactly the bytes that are written for the files that were unpacked from it. Other programs may
/// find other files in one that has not, since an archive names each file twice.
#[must_use]
pub fn check(path: &Path, folder: &Path, time: DateTime<Utc>) -> CheckResult {
    let is_same = || -> io::Result<bool> {
        let again = tempfile::tempfile()?;
        write(folder, &super::names(folder)?, time, again.try_clone()?)?;
        (&again).rewind()?;
        let (mut again, mut found) = (BufReader::new(again), BufReader::new(File::open(path)?));
        loop {
            let (one, other) = (again.fill_buf()?, found.fill_buf()?);
            let length = one.len().min(other.len());
            if one[..length] != other[..length] {
                return Ok(false);
            }
            if length == 0 {
                return Ok(one.is_empty() && other.is_empty());
            }
            again.consume(length);
            found.consume(length);
        }
    };
    match is_same() {
        Ok(true) => Check::Archive.ok("nothing but the files, as keysunset writes it"),
        Ok(false) => Check::Archive.unknown(
            "not as this keysunset writes it: it was packed by another program or version, or changed; only its files as \
             unpacked here were checked",
        ),
        Err(why) => Check::Archive.unknown(format!("could not be compared: {}", reason(&why))),
    }
}

/// Unpacks a pack into a folder. A member that is damaged is a result, and so is one that is no file of a pack.
///
/// # Errors
/// No zip archive, or too large a one; or the folder can't be written to.
pub fn extract(path: &Path, folder: &Path) -> Result<Vec<CheckResult>, Error> {
    let name = path.display();
    let not_a_pack = |why: String| {
        Error::input(format!("{name} is not an evidence pack: {why}"))
            .help("name the folder or the zip archive that `keysunset export --pack` wrote")
    };
    let file = File::open(path).map_err(|why| Error::not_read("the evidence pack", path.display(), &why))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|why| not_a_pack(why.to_string()))?;
    if zip.decompressed_size().is_none_or(|bytes| bytes > MOST) {
        return Err(not_a_pack(format!("its files are larger than {} GiB", MOST >> 30)));
    }
    let (mut results, mut names) = (Vec::new(), BTreeSet::new());
    for at in 0..zip.len() {
        let mut member = match zip.by_index(at) {
            Ok(member) => member,
            Err(why) => {
                results.push(Check::Sums.differs(format!("member {at}: can't be unpacked: {why}")));
                continue;
            }
        };
        let member_name = member.name().map(std::borrow::Cow::into_owned).unwrap_or_default();
        if !member.is_file() || !is_plain(&member_name) || !names.insert(member_name.clone()) {
            results.push(Check::Sums.differs(format!("{member_name:?}: not a file of a pack")));
            continue;
        }
        let to = File::create_new(folder.join(&member_name)).map_err(|why| Error::no_temporary_file(&why))?;
        let mut to = BufWriter::new(to);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => to.write_all(&buffer[..read]).map_err(|why| Error::no_temporary_file(&why))?,
                Err(why) => {
                    let found = format!("{member_name}: can't be unpacked: {}", reason(&why));
                    results.push(Check::Sums.differs(found));
                    break;
                }
            }
        }
        to.flush().map_err(|why| Error::no_temporary_file(&why))?;
    }
    Ok(results)
}
