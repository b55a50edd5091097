import CommandSupport
import TensorCore
import TransformerKit

/// Singular values: how much of a matrix a few directions have.
struct SpectrumSection {
  let report: ModelReport
  let isOfTwo: Bool

  var section: Section? {
    guard report.spectra.count > 0 else { return nil }
    let charts = SpectrumCharts(spectra: report.spectra, link: TensorSection.link)
    return Section(
      id: "spectra", title: isOfTwo ? "Spectra of A" : "Spectra",
      body: """
        <figure><figcaption>\(charts.choice("matrices"))</figcaption>
        \(charts.markup)</figure>

        """)
  }
}

/// A chart for each role, with the numbers of its layers under it.
struct SpectrumCharts {
  let spectra: Spectra
  /// What leads to a matrix.
  let link: (Int) -> Markup

  private static let (left, right, top, bottom) = (44.0, 292.0, 10.0, 146.0)
  /// Points of a line, at most.
  private static let points = 80

  var markup: Markup { "<div class=\"charts\">\(spectra.roles.map { chart($0) })</div>\n" }

  /// What was chosen, and what not, and how it was computed.
  ///
  /// - Parameter noun: what was chosen from, in the plural.
  func choice(_ noun: String) -> String {
    var text =
      "Singular values, the largest first, on a logarithmic scale. \(spectra.count) of"
      + " \(spectra.matrixCount) \(noun) were looked at: of each kind the first, the middle and the last"
      + " layer, the largest kinds first."
    if spectra.tooLarge > 0 {
      text +=
        " \(spectra.tooLarge) are left out because both sides are longer than \(Spectra.longestSide),"
        + " or because they can only be read from the front."
    }
    if spectra.notFinite > 0 {
      text += " Not all elements of \(spectra.notFinite) are finite."
    }
    return text
      + " They come from the eigenvalues of AᵀA in double precision (LAPACK), so values below 1e-7 of the"
      + " largest are not resolved. Stable rank is ‖A‖² / σ₁², Frobenius norm over spectral norm; effective"
      + " rank is the exponential of the entropy of the σ's shares (Roy and Vetterli, 2007)."
  }

  private func chart(_ role: Spectra.Role) -> Markup {
    let scale = Scale(role.spectra.map(\.values))
    let lines = role.spectra.enumerated().map { number, spectrum -> Markup in
      "<path class=\"line s\(number)\" d=\"\(scale.path(spectrum.values))\"/>"
    }
    let rows = role.spectra.enumerated().map { row($1, number: $0) }
    let longest = role.spectra.map(\.values.count).max() ?? 0
    let name = listed(role.role.members.count == 1 ? role.role.name : role.role.pattern)
    return """
      <div class="chart"><h3><code>\(breakable(name))</code></h3>
      <svg viewBox="0 0 300 170" role="img" aria-label="Singular values of \(name)">\
      \(scale.axes(longest))\(lines)</svg>
      <table class="numbers"><thead><tr><th scope="col">Layer</th><th scope="col">σ₁</th>\
      <th scope="col">Least σ</th><th scope="col">Stable<br>rank</th>\
      <th scope="col">Effective<br>rank</th></tr></thead><tbody>\(rows)</tbody></table></div>

      """
  }

  private func row(_ spectrum: Spectra.Spectrum, number: Int) -> Markup {
    let values = spectrum.values
    let (first, last) = (values.first ?? 0, values.last ?? 0)
    // Divided first, so that squares neither overflow nor vanish.
    let shares = values.map { first > 0 ? $0 / first : 0 }
    let stable = shares.reduce(0) { $0 + $1 * $1 }
    let least =
      first > 0 && last < first * 1e-7
      ? "< \(describe(number: first * 1e-7, digits: 2))" : describe(number: last, digits: 3)
    return """
      <tr><th scope="row"><svg class="key" viewBox="0 0 24 8"><path class="line s\(number)" \
      d="M0 4h24"/></svg> <a\(link(spectrum.index))>\(spectrum.layer.map { "\($0)" } ?? "–")</a></th>\
      <td>\(describe(number: first, digits: 4))</td><td>\(least)</td>\
      <td>\(describe(number: stable, digits: 3))</td>\
      <td>\(describe(number: effectiveRank(shares), digits: 3))</td></tr>
      """
  }

  private func effectiveRank(_ values: [Double]) -> Double {
    let total = values.reduce(0, +)
    guard total > 0 else { return 0 }
    let parts = values.map { $0 / total }.filter { $0 > 0 }
    return exponential(parts.reduce(0) { $0 - $1 * logarithm($1) })
  }

  /// Axes from the smallest that is shown to the largest singular value.
  private struct Scale {
    private let low: Double
    private let high: Double

    init(_ lines: [[Double]]) {
      let most = lines.compactMap(\.first).max() ?? 0
      let least = lines.flatMap(\.self).filter { $0 > most * 1e-5 }.min() ?? most
      high = most > 0 ? decimalLogarithm(most) + 0.05 : 1
      low = most > 0 ? min(decimalLogarithm(least) - 0.05, high - 0.5) : 0
    }

    private func y(_ decimal: Double) -> Double {
      bottom - (max(decimal, low) - low) / (high - low) * (bottom - top)
    }

    func path(_ values: [Double]) -> Markup {
      let count = min(points, values.count)
      var text: Markup = ""
      for point in 0..<count {
        let index = count > 1 ? point * (values.count - 1) / (count - 1) : 0
        let x =
          left + (right - left) * (values.count > 1 ? Double(index) / Double(values.count - 1) : 0)
        let value = values[index]
        let height = value > 0 ? y(decimalLogarithm(value)) : bottom
        text += "\(point == 0 ? "M" : "L")\(x) \(height)"
      }
      return text
    }

    /// Lines at powers of ten, at 2 and 5 of them where there are few; and how many values there are.
    func axes(_ count: Int) -> Markup {
      var ticks: [(Double, String)] = []
      for power in Int(low.rounded(.down))...Int(high.rounded(.up)) {
        let steps: [Double] = high - low > 1.6 ? [1] : [1, 2, 5]
        for step in steps {
          let place = Double(power) + decimalLogarithm(step)
          guard place >= low, place <= high else { continue }
          ticks.append((place, describe(number: step * powerOfTen(power), digits: 3)))
        }
      }
      let marks = ticks.map { place, text -> Markup in
        """
        <path class="grid" d="M\(left) \(y(place))H\(right)"/>\
        <text class="tick end" x="\(left - 5)" y="\(y(place) + 3.5)">\(text)</text>
        """
      }
      return """
        \(marks)<path class="axis" d="M\(left) \(top)V\(bottom)H\(right)"/>\
        <text class="tick" x="\(left)" y="\(bottom + 15)">1</text>\
        <text class="tick end" x="\(right)" y="\(bottom + 15)">\(count)</text>
        """
    }
  }
}
