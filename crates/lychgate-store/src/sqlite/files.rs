//! The file of a database and who may read it.
//!
//! **Invariant:** no moment exists at which somebody else can open the file:
//! it is made with mode 0600 before SQLite opens it, and SQLite gives the files beside it the same mode.
//!
//! **Absent on purpose:** an existing file is never opened here.
//! Closing it would drop the locks that SQLite holds on it elsewhere in this process
//! (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;

/// Makes the folder and the file if they are missing, and closes an existing file to others.
pub(super) fn prepare(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder).map_err(|source| OpenError::Folder { path: folder.into(), source })?;
    }
    match make_file(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(OpenError::Access { path: path.into(), source: source.into() }),
    }
    let found = fs::metadata(path).map_err(|source| OpenError::Access { path: path.into(), source: source.into() })?;
    if !found.is_file() {
        return Err(OpenError::NotADatabase { path: path.into() });
    }
    close_to_others(path)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut sibling = path.as_os_str().to_owned();
        sibling.push(suffix);
        close_to_others(&PathBuf::from(sibling))?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

#[cfg(unix)]
fn close_to_others(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt;

    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|source| OpenError::Exposed {
        path: path.into(),
        mode,
        source,
    })?;
    tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "others could read a file of the database; its mode is 600 now");
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_path: &Path) -> Result<(), OpenError> {
    Ok(())
}
