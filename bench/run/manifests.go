package main

import (
	"fmt"
	"strings"
)

// manifests returns the files that define the tasks for each program.
func manifests(list []task, log string) map[string]string {
	files := map[string]string{
		".gitignore": "out/\n.same/\n.turbo/\n.task/\n.nx/\n.moon/cache/\nnode_modules\n",
		"nx.json": `{"neverConnectToCloud": true, "analytics": false, "targetDefaults": {"build": {"cache": true, "dependsOn": ["^build"],
  "inputs": ["{projectRoot}/src/**/*", "{projectRoot}/package.json", {"dependentTasksOutputFiles": "**/*"}], "outputs": ["{projectRoot}/out"]}}}
`,
		".moon/workspace.yml": "projects: ['p*/t*']\nvcs: {manager: git, defaultBranch: main}\ntelemetry: false\n",
		".moon/tasks.yml": `tasks:
  build: {command: npm run build, toolchain: system, deps: ['^:build'], inputs: ['src/**/*'], outputs: [out]}
`,
		"same.work.yaml": "version: \"1\"\nprojects: [\"p*\"]\n",
		"turbo.json":     `{"tasks": {"build": {"dependsOn": ["^build"], "outputs": ["out/**"]}}}` + "\n",
		"package.json":   `{"name": "bench", "private": true, "packageManager": "npm@11.0.0", "workspaces": ["p*/t*"]}` + "\n",
	}
	lock := strings.Builder{} // without a lock file turbo warns and hashes less
	lock.WriteString(`{"name": "bench", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "bench", "workspaces": ["p*/t*"]}`)
	var makefile, taskfile strings.Builder
	makefile.WriteString("all:\n.PHONY: all\n")
	taskfile.WriteString("version: '3'\nsilent: true\nrun: once\ntasks:\n  all:\n    deps: [" + names(list) + "]\n")
	projects := map[string]*strings.Builder{}
	for _, t := range list {
		before, depends := t.before()
		script := t.script(log)

		manifest := fmt.Sprintf("p%d/same.yaml", t.project())
		same := projects[manifest]
		if same == nil {
			same = new(strings.Builder)
			projects[manifest] = same
			fmt.Fprintf(same, "version: \"1\"\nproject: p%d\ntasks:\n", t.project())
		}
		fmt.Fprintf(same, "  %s:\n    input: [%[1]s/src]\n    target: [%[1]s/out]\n    workingDir: %[1]s\n    cmd: [sh, -c, %[2]q]\n", t.name(), script)

		dependencies := ""
		makeDepends := ""
		fmt.Fprintf(&taskfile, "  %s:\n    dir: %s\n    sources: ['src/**/*']\n    generates: [out/result]\n    cmds: [%q]\n", t.name(), t.dir(), script)
		if depends {
			fmt.Fprintf(same, "    dependsOn: [\"p%d:%s\"]\n", before.project(), before.name())
			fmt.Fprintf(&taskfile, "    deps: [%s]\n", before.name())
			dependencies = fmt.Sprintf(`, "dependencies": {"%s": "*"}`, before.name())
			makeDepends = before.output()
			files[t.dir()+"/moon.yml"] = fmt.Sprintf("dependsOn: [%s]\n", before.name())
		}
		fmt.Fprintf(&makefile, "all: %s\n%[1]s: %s $(wildcard %s/src/*/*)\n\t@cd %[3]s && %s\n", t.output(), makeDepends, t.dir(), script)
		files[t.dir()+"/package.json"] = fmt.Sprintf(`{"name": "%s", "version": "1.0.0", "scripts": {"build": "%s"}%s}`+"\n", t.name(), script, dependencies)
		fmt.Fprintf(&lock, `, "%s": {"name": "%s", "version": "1.0.0"%s}, "node_modules/%[2]s": {"resolved": "%[1]s", "link": true}`, t.dir(), t.name(), dependencies)
	}
	for name, text := range projects {
		files[name] = text.String()
	}
	files["package-lock.json"] = lock.String() + "}}\n"
	files["Makefile"] = makefile.String()
	files["Taskfile.yml"] = taskfile.String()
	return files
}

func names(list []task) string {
	all := make([]string, len(list))
	for i, t := range list {
		all[i] = t.name()
	}
	return strings.Join(all, ", ")
}
