package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/pflag"
)

// defaultsVariable names the variable by which a flake's module (nix/key-app.nix)
// gives the flags that say which key is meant other defaults: a JSON object from
// flags' names to lists of values. A user's flag replaces them, as any default.
const defaultsVariable = "CACHEKEY_DEFAULTS"

func setDefaults(fs *pflag.FlagSet, text string) error {
	if text == "" {
		return nil
	}
	var defaults map[string][]string
	if err := json.Unmarshal([]byte(text), &defaults); err != nil {
		return fmt.Errorf("reading the variable %s: %w", defaultsVariable, err)
	}
	for name, values := range defaults {
		f := fs.Lookup(name)
		if f == nil {
			return fmt.Errorf("the variable %s names a flag --%s, which this command has not", defaultsVariable, name)
		}
		if f.Changed {
			continue
		}
		for _, value := range values {
			if err := fs.Set(name, value); err != nil {
				return fmt.Errorf("reading the variable %s: %w", defaultsVariable, err)
			}
		}
	}
	return nil
}
