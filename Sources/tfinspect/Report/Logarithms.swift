#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// log₁₀ x
func decimalLogarithm(_ x: Double) -> Double { log10(x) }
/// ln x
func logarithm(_ x: Double) -> Double { log(x) }
/// eˣ
func exponential(_ x: Double) -> Double { exp(x) }
/// 10ⁿ
func powerOfTen(_ n: Int) -> Double { pow(10, Double(n)) }
