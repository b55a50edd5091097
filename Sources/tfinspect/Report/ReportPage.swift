import CommandSupport
import Containers
import SystemPackage
import TensorCore
import TransformerKit

/// A part of the page.
struct Section {
  /// What links to it say.
  let id: String
  let title: String
  let body: Markup

  var html: Markup {
    "<section id=\"\(id)\" aria-labelledby=\"h-\(id)\"><h2 id=\"h-\(id)\">\(title)</h2>\n\(body)</section>\n"
  }
}

/// The page about a checkpoint. It says nothing that changes from run to run.
struct ReportPage {
  let report: ModelReport
  let comparison: ComparisonReport?
  let options: OpenOptions

  init(_ report: ModelReport, _ comparison: ComparisonReport?, options: OpenOptions) {
    (self.report, self.comparison, self.options) = (report, comparison, options)
  }

  /// The whole file.
  var html: String {
    let sections = sections
    let links = sections.map { "<a href=\"#\($0.id)\">\($0.title)</a>" as Markup }
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="\(policy)">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="generator" content="tfinspect \(toolVersion)">
      <link rel="icon" href="data:,">
      <title>\(title)</title>
      <style>\(reportStyle)</style>
      </head>
      <body>
      <a class="skip" href="#main">Skip to the content</a>
      <header>
      <h1>\(title)</h1>
      <nav aria-label="Sections">\(links)<button type="button" id="theme" hidden>Theme: system</button></nav>
      </header>
      <main id="main">
      \(sections.map(\.html))</main>
      <footer>Written by tfinspect \(toolVersion). \(note)</footer>
      <script>\(reportScript)</script>
      </body>
      </html>

      """
    return page.text
  }

  private var note: String {
    let finite = "Statistics are those of the finite elements."
    return comparison == nil
      ? finite
      : "What is called “of A” is about the first checkpoint alone. \(finite)"
  }

  private var title: String {
    guard let comparison else { return name(of: report.checkpoint) }
    return "\(name(of: report.checkpoint)) and \(name(of: comparison.checkpoint))"
  }

  private func name(of checkpoint: Checkpoint) -> String {
    let path = checkpoint.path.lexicallyNormalized()
    return path.lastComponent.map { displayed(FilePath(root: nil, [$0])) } ?? displayed(path)
  }

  private var sections: [Section] {
    let isOfTwo = comparison != nil
    return [
      OverviewSection(report: report, comparison: comparison, options: options).section,
      comparison.map { DiffSection(comparison: $0).section },
      comparison.flatMap { ChangeMapSection(comparison: $0).section },
      comparison.flatMap { RankSection(comparison: $0).section },
      comparison.flatMap { ChangeSection(comparison: $0).section },
      PictureSection(report: report, isOfTwo: isOfTwo).section,
      TreemapSection(report: report, isOfTwo: isOfTwo).section,
      PatternSection(report: report, isOfTwo: isOfTwo).section,
      HeatMapSection(report: report, isOfTwo: isOfTwo).section,
      HistogramSection(report: report, isOfTwo: isOfTwo).section,
      SpectrumSection(report: report, isOfTwo: isOfTwo).section,
      TensorSection(report: report, isOfTwo: isOfTwo).section,
    ].compactMap(\.self)
  }

  /// Nothing may be loaded or run but what is in the page, whatever names got into it.
  private var policy: String {
    "default-src 'none'; img-src data:; style-src '\(digest(reportStyle.text))';"
      + " script-src '\(digest(reportScript.text))'; base-uri 'none'; form-action 'none'"
  }

  private func digest(_ text: String) -> String {
    var sha = SHA256()
    sha.update(Array(text.utf8))
    return "sha256-" + encodeBase64(sha.finalizedBytes())
  }
}
