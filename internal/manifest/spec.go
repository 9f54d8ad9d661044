package manifest

import (
	"cachekey/internal/message"
	"fmt"
	"regexp"
	"strings"
)

// A Spec says where a tool comes from. Either Package and Version are set
// ("go@1.25.4", which Nixhub resolves to a revision of nixpkgs), or Flake and
// Attr ("nixpkgs#go", ".#lint", which the flake's own lock resolves).
type Spec struct {
	Package, Version string
	Flake, Attr      string
}

var (
	packageName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	version      = regexp.MustCompile(`^[A-Za-z0-9_.+~^-]+$`)
	flakeRef     = regexp.MustCompile(`^[A-Za-z0-9_.+~:/?=&%@,-]+$`)
	attrPath     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z0-9_][A-Za-z0-9_'-]*)*$`)
	toolAlias    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	validName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+/-]*$`) // of a task or a project
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// ParseSpec reads a tool's spec. What it lets through can be written into a
// Nix expression and a URL as it is.
func ParseSpec(s string) (Spec, error) {
	if flake, attr, ok := strings.Cut(s, "#"); ok {
		switch {
		case !flakeRef.MatchString(flake):
			return Spec{}, message.WithHint(fmt.Errorf("%q names no flake before the #", s),
				"write nixpkgs#go, or .#lint for a package of this repository's own flake")
		case !attrPath.MatchString(attr):
			return Spec{}, message.WithHint(fmt.Errorf("%q names no package after the #", s),
				"write an attribute there: %s#go, %s#python3Packages.black", flake, flake)
		}
		return Spec{Flake: flake, Attr: attr}, nil
	}
	name, ver, ok := strings.Cut(s, "@")
	switch {
	case !ok || ver == "" && packageName.MatchString(name):
		return Spec{}, message.WithHint(fmt.Errorf("%q has no version", s),
			"write NAME@VERSION as in go@1.25.4, or FLAKE#PACKAGE as in nixpkgs#go")
	case !packageName.MatchString(name) || !version.MatchString(ver):
		return Spec{}, message.WithHint(fmt.Errorf("%q is no tool", s),
			"write NAME@VERSION as in go@1.25.4, or FLAKE#PACKAGE as in nixpkgs#go")
	}
	return Spec{Package: name, Version: ver}, nil
}
