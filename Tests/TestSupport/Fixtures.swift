public import SystemPackage

/// The folder `Fixtures` of the repository, or something in it.
///
/// - Parameter path: the way from there, such as `containers/npy/good`.
public func fixture(_ path: String = "") -> FilePath {
  let here = FilePath(#filePath)
  let root = here.removingLastComponent().removingLastComponent().removingLastComponent()
  return root.appending("Fixtures").pushing(FilePath(path))
}
