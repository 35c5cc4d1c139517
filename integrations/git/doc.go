// Package git carries out source actions with the git binary and looks at the
// heads of branches, for the providers Git, GitHub and CodeStarSourceConnection.
//
// A remote is a repository and a branch, as an action's configuration names
// them. Each repository has a copy, a bare one in the cache folder under a
// lock, into which the branch is fetched; a revision is a commit that can be
// reached from the branch, unless a trigger or somebody with the right named
// a commit from elsewhere; its tree becomes the output artifact, without .git, with
// mode bits and symbolic links.
//
// What comes from outside (URLs, branch names, commits, the repositories) is
// not trusted: only https and ssh are spoken, nothing can become an option of
// a program, git reads no settings but ours, runs no hooks and asks nobody
// anything. The token is a header in git's environment, bound to one host; it
// is in no argument, no URL, no file and no error.
//
// A failure of the network is an error, to be tried again. What stays as it is
// (no such branch, no such commit, no access) is a failed outcome.
package git
