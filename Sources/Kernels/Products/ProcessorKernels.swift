internal import CBLAS

/// The environment variable that tells OpenBLAS which kernels to use; read once, when it is loaded.
public let blasCoreVariable = "OPENBLAS_CORETYPE"

/// The kernels that OpenBLAS should be told to use, because it has not recognised the processor.
///
/// A version of OpenBLAS older than the processor falls back to kernels for one of 2004, which are
/// several times slower. `nil` if it has chosen well, or there is nothing to choose.
public func neglectedBLASCore() -> String? {
  guard let wanted = unsafe tfkit_blas_core_of_processor(),
    let chosen = unsafe tfkit_blas_core()
  else { return nil }
  let withoutVectors = [
    "Generic", "Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Core2", "Penryn",
    "Dunnington", "Nehalem", "Atom", "Athlon", "Opteron", "Barcelona", "Nano", "Bobcat",
    "Bulldozer", "Piledriver", "Sandybridge", "Unknown",
  ]
  let name = unsafe String(cString: chosen)
  guard withoutVectors.contains(where: { name.lowercased().hasPrefix($0.lowercased()) }) else {
    return nil
  }
  return unsafe String(cString: wanted)
}
