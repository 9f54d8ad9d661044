package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// jsonAt is the verb "json FILE PATH". It prints the value at PATH in a JSON
// document: names and numbers separated by dots, * for every element of a list. It
// prints a string as it is and other values as JSON, one per line.
func jsonAt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("json FILE PATH")
	}
	var document any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
	found := []any{document}
	for part := range strings.SplitSeq(args[1], ".") {
		var next []any
		for _, v := range found {
			inside, err := elements(v, part)
			ts.Check(err)
			next = append(next, inside...)
		}
		found = next
	}
	for _, v := range found {
		if s, ok := v.(string); ok {
			fmt.Fprintln(ts.Stdout(), s)
			continue
		}
		text, err := json.Marshal(v)
		ts.Check(err)
		fmt.Fprintf(ts.Stdout(), "%s\n", text)
	}
}

func elements(v any, part string) ([]any, error) {
	switch v := v.(type) {
	case map[string]any:
		if element, ok := v[part]; ok {
			return []any{element}, nil
		}
	case []any:
		if part == "*" {
			return v, nil
		}
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(v) {
			return v[i : i+1], nil
		}
	}
	return nil, fmt.Errorf("there is no %q in %.100v", part, v)
}
