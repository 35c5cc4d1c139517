// Package files keeps what is too big for the database as plain files.
//
// An artifact is a folder packed as tar.gz, or a zip, and stored under the SHA-256 of its bytes: equal content is stored once, and what is read is proved to be what
// was written before a single file of it is laid out. A log is a text file per
// attempt of an action. A run folder is where a task works; it lives until the
// task's outcome is durable.
//
//	DIR/artifacts/DIGEST.tar.gz      or .zip
//	DIR/logs/EXECUTION/STAGE/ACTION.ATTEMPT.log
//	DIR/runs/HASH-OF-TASK-ID/        with the task's ID in .task
//	DIR/host                         who works here, see [Files.Host]
//
// Where [Artifacts] are kept elsewhere, such as in a bucket, they are zips, and the
// folder is a cache of bounded size.
//
// Folders have mode 0700. Files appear whole or not at all: written beside,
// synced, renamed. All access to the content of artifacts and run folders goes
// through os.Root, so that no name and no link leads out of the folder at hand.
package files
