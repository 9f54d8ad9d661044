# lib.fileset: a set is the list of its files, as absolute strings.
lib:
let
  inherit (builtins) attrNames concatMap readDir;

  filesOf =
    type: path:
    if type == "directory" then
      let
        entries = readDir path;
      in
      concatMap (name: filesOf entries.${name} (path + "/${name}")) (attrNames entries)
    else
      [ (toString path) ];
  coerce = x: if x ? fileset then x.fileset else filesOf (builtins.readFileType x) x;
in
{
  fileFilter = predicate: path: {
    fileset = builtins.filter (
      file:
      predicate rec {
        name = baseNameOf file;
        type = "regular";
        hasExt = ext: lib.hasSuffix ".${ext}" name;
      }
    ) (coerce path);
  };
  unions = sets: { fileset = concatMap coerce sets; };
  toSource =
    { root, fileset }:
    let
      withParents = file: if file == toString root then [ ] else [ file ] ++ withParents (dirOf file);
      wanted = lib.genAttrs (concatMap withParents (coerce fileset)) (_: true);
    in
    {
      outPath = builtins.path {
        path = root;
        name = "source";
        filter = path: _: wanted ? ${path};
      };
    };
}
