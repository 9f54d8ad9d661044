# `nix fmt`: formats what it is given, or every tracked file.
pkgs:
pkgs.writeShellApplication {
  name = "format";
  runtimeInputs = [
    pkgs.gitMinimal
    pkgs.go
    pkgs.nixfmt
  ];
  text = ''
    if [ $# = 0 ]; then
      mapfile -t files < <(git ls-files '*.go' '*.nix')
      set -- "''${files[@]}"
    fi
    for file in "$@"; do
      case $file in
      *.go) gofmt -w "$file" ;;
      *.nix) nixfmt "$file" ;;
      esac
    done
  '';
}
