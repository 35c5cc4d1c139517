package vars

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Fill resolves every value of a configuration. The error names the key and
// what has no value.
func Fill(configuration map[string]string, value func(Ref) (string, bool)) (map[string]string, error) {
	filled := make(map[string]string, len(configuration))
	for _, key := range slices.Sorted(maps.Keys(configuration)) {
		v, err := Resolve(configuration[key], value)
		if err != nil {
			return filled, fmt.Errorf("%s: %w", key, err)
		}
		filled[key] = v
	}
	return filled, nil
}

// FillCommands replaces the variables in command lines by variables of the
// environment, which it adds to env: a value is never part of a line that a
// shell reads.
func FillCommands(commands []string, env map[string]string, value func(Ref) (string, bool)) ([]string, error) {
	names := map[Ref]string{}
	var lines []string
	for _, line := range commands {
		var missing error
		rewritten, err := Rewrite(line, func(r Ref) string {
			name, known := names[r]
			if !known {
				name = fmt.Sprintf("ROLLCALL_VAR_%d", len(names)+1)
				names[r] = name
				v, ok := value(r)
				if !ok {
					missing = errors.Join(missing, fmt.Errorf("commands: %s has no value", r))
				}
				env[name] = v
			}
			return "${" + name + "}"
		})
		if err != nil {
			return nil, fmt.Errorf("commands: %w", err)
		}
		if missing != nil {
			return nil, missing
		}
		lines = append(lines, rewritten)
	}
	return lines, nil
}
