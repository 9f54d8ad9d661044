package engine

import "strings"

// The escapes of GitHub Actions' workflow commands: of a command's text, and of
// a property (title=…), which a colon or a comma would end.
// https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
var (
	dataEscaper     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscaper = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscaper.Replace(s) }
func escapeProperty(s string) string { return propertyEscaper.Replace(s) }
