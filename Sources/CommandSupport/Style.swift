/// A colour of the terminal, or another way to stand out.
public enum Style: Int, Sendable {
  /// Background and letters exchanged.
  case inverse = 7
  case red = 31
  case green = 32
  case yellow = 33
  case cyan = 36
}

/// A text in a colour, on a terminal whose user has not asked for none (https://no-color.org).
public func styled(_ text: String, _ style: Style) -> String {
  isStyled ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
}

/// Whether colours are shown.
let isStyled =
  outputIsTerminal && environment("NO_COLOR").isEmpty && environment("TERM") != "dumb"
