package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"cachekey/bench/internal/peer"
)

// A tool is one of the measured programs.
type tool struct {
	name    string
	args    []string // the command line that builds everything
	carried []string // the paths that CI would carry from one run to the next, relative to the workspace
}

// npmStandIn replaces npm, which turbo, nx and moon start for each task: npm itself would
// take longer than everything else.
const npmStandIn = `#!/bin/sh
exec sh -c "$(sed -n 's/.*"build": "\([^"]*\)".*/\1/p' package.json)"
`

const (
	sameName  = "`same run`"
	turboName = "turbo"
	nxName    = "nx"
	moonName  = "moon"
	taskName  = "go-task"
	makeName  = "make"
)

// restoring is the number of the tools that restore outputs. They come first.
const restoring = 4

func install(workdir *peer.Workdir) (tools []tool, versions string, err error) {
	_, same, err := workdir.Build()
	if err != nil {
		return nil, "", err
	}
	goTask, err := workdir.Task()
	if err != nil {
		return nil, "", err
	}
	turboDir, err := workdir.NPM("turbo", peer.Turbo)
	if err != nil {
		return nil, "", err
	}
	// The program itself, without the Node.js script in front of it.
	turbo, err := filepath.Glob(filepath.Join(turboDir, "node_modules", "@turbo", "*", "bin", "turbo"))
	if err != nil || len(turbo) != 1 {
		return nil, "", fmt.Errorf("the package turbo has no program for this system: %v", err)
	}
	nx, err := workdir.NPM("nx", peer.Nx)
	if err != nil {
		return nil, "", err
	}
	moonDir, err := workdir.NPM("@moonrepo/cli", peer.Moon)
	if err != nil {
		return nil, "", err
	}
	moon, err := filepath.Glob(filepath.Join(moonDir, "node_modules", "@moonrepo", "core-*", "moon"))
	if err != nil || len(moon) == 0 {
		return nil, "", fmt.Errorf("the package @moonrepo/cli has no program for this system: %v", err)
	}
	if err := os.MkdirAll(workdir.Path("npm-stand-in"), 0o755); err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(workdir.Path("npm-stand-in", "npm"), []byte(npmStandIn), 0o755); err != nil {
		return nil, "", err
	}
	goVersion, err := peer.Version("go", "env", "GOVERSION")
	if err != nil {
		return nil, "", err
	}
	makeVersion, err := peer.Version("make", "--version")
	if err != nil {
		return nil, "", err
	}
	jobs := strconv.Itoa(runtime.NumCPU())
	return []tool{
			{sameName, []string{same, "run", "--ci", "all"}, []string{".same/store", ".same/cache", ".same/seal.json"}},
			{turboName, []string{turbo[0], "run", "build", "--concurrency=" + jobs}, []string{".turbo/cache"}},
			{nxName, []string{filepath.Join(nx, "node_modules", ".bin", "nx"), "run-many", "-t", "build", "--parallel=" + jobs, "--outputStyle=static"},
				[]string{".nx/cache", ".nx/workspace-data"}},
			{moonName, []string{moon[0], "run", ":build", "--concurrency", jobs, "--log", "off"},
				[]string{".moon/cache/hashes", ".moon/cache/outputs", ".moon/cache/states"}},
			{taskName, []string{goTask, "--concurrency", jobs, "all"}, []string{".task"}},
			{makeName, []string{"make", "-r", "-j" + jobs, "all"}, nil},
		},
		strings.Join([]string{goVersion, "turbo " + peer.Turbo, "nx " + peer.Nx, "moon " + peer.Moon, "go-task " + peer.GoTask, makeVersion}, ", "), nil
}

func env(workdir *peer.Workdir) []string {
	list := workdir.Env("TURBO_TELEMETRY_DISABLED=1", "DO_NOT_TRACK=1", "TURBO_UI=false", "TURBO_NO_UPDATE_NOTIFIER=1",
		"NX_DAEMON=false", "NX_TUI=false", "NX_NO_CLOUD=true", "NX_REJECT_UNKNOWN_LOCAL_CACHE=0", "MOON_HOME="+workdir.Path("home", ".moon"))
	for i, entry := range list {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			list[i] = "PATH=" + workdir.Path("npm-stand-in") + ":" + path
		}
	}
	return list
}
