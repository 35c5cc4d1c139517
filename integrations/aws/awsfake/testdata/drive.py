# Carries out command lines of AWS's own command line, given on stdin as a JSON array of arrays of words, in one process.
# Prints a JSON array of {"status", "output", "error"}.
import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

driver = create_clidriver()
results = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = driver.main(words)
        except SystemExit as e:
            status = e.code
    results.append({"status": status, "output": out.getvalue(), "error": err.getvalue()})
print(json.dumps(results))
