package nixenv

import (
	"encoding/json"
	"fmt"
)

// parseDevEnv takes the exported variables from what `nix print-dev-env --json`
// prints. One that belongs to the shell, or that no environment file may hold,
// is left out.
func parseDevEnv(data []byte, system string) (*Environment, error) {
	var env struct {
		Variables map[string]struct {
			Type  string          `json:"type"`
			Value json.RawMessage `json:"value"`
		} `json:"variables"`
	}
	if err := json.Unmarshal(data, &env); err != nil {
		return nil, err
	}
	entries := []string{"system=" + system}
	if _, set := env.Variables["GOTOOLCHAIN"]; !set {
		// go.mod must not bring in another Go than the one that was resolved.
		entries = append(entries, "GOTOOLCHAIN=local")
	}
	for name, v := range env.Variables {
		var value string
		if v.Type != "exported" || name == "system" || name == ofResolution || shellsOwn[name] || !variable.MatchString(name) {
			continue
		}
		if err := json.Unmarshal(v.Value, &value); err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		if name != "PATH" && checkVariable(name, value) != nil {
			continue
		}
		entries = append(entries, name+"="+value)
	}
	return newEnvironment(entries)
}
