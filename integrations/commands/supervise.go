package commands

// Supervise is the first thing that main and TestMain do: when this process
// was started as a supervisor, it does that work and exits; otherwise it
// returns at once.
func Supervise() {}
