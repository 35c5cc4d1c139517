package feedback

// sha is a commit.
const sha = "4b1c2d3e4f5061728394a5b6c7d8e9f001122334"
