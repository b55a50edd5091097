import CommandSupport
import TensorCore

/// A tensor of what is browsed, or one that two checkpoints have.
struct BrowsedItem {
  /// Its name, in A if there are two.
  let name: String
  /// Its name in B, if that is another one.
  var other: String?
  let dtype: String
  let shape: [Int]
  let byteCount: Int
  /// What is between A and B; empty if there is one checkpoint.
  var mark = ""
  /// Whether `mark` says that it is the same in both.
  var isSame = true
  /// Opens it, in A and in B.
  let open: () throws(CheckpointError) -> (a: Tensor?, b: Tensor?)
}

/// What a person sees of one or two checkpoints, and what keys do. It needs no terminal.
struct Browser {
  private let title: String
  private let items: [BrowsedItem]
  private let isPair: Bool
  private var rows: NameRows
  private var place = 0
  private var top = 0
  private var isTyping = false
  private var view: ValueView?
  private var message = ""
  private var page = 1
  /// Whether the person wants to leave.
  private(set) var isDone = false

  /// - Parameter title: what is browsed.
  init(_ title: String, _ items: [BrowsedItem], isPair: Bool) {
    self.title = title
    self.items = items
    self.isPair = isPair
    rows = NameRows(items.map { escaped($0.name) })
  }

  // MARK: Keys

  /// Does what a key asks for.
  mutating func press(_ key: Key) {
    message = ""
    if key == .interrupt {
      isDone = true
    } else if view != nil {
      pressInView(key)
    } else if isTyping {
      pressWhileTyping(key)
    } else {
      pressInList(key)
    }
  }

  private mutating func pressInView(_ key: Key) {
    if view?.press(key) == true { return }
    switch key {
    case .escape, .backspace, .character("q"), .enter: view = nil
    default: break
    }
  }

  private mutating func pressWhileTyping(_ key: Key) {
    switch key {
    case .character(let character): look(for: rows.search + String(character))
    case .backspace: look(for: String(rows.search.dropLast()))
    case .enter: isTyping = false
    case .escape: endSearch()
    default: pressInList(key)
    }
  }

  private mutating func pressInList(_ key: Key) {
    switch key {
    case .up, .character("k"): place -= 1
    case .down, .character("j"): place += 1
    case .pageUp: place -= page
    case .pageDown, .character(" "): place += page
    case .home, .character("g"): place = 0
    case .end, .character("G"): place = rows.rows.count - 1
    case .right, .character("l"), .enter: enter()
    case .left, .character("h"), .backspace: leave()
    case .character("/"):
      isTyping = true
      look(for: "")
    case .character("n"): goToNextChange()
    case .escape: endSearch()
    case .character("q"): isDone = true
    default: break
    }
    place = max(0, min(place, rows.rows.count - 1))
  }

  private mutating func look(for text: String) {
    rows.search = text
    (place, top) = (0, 0)
  }

  /// Goes back to the tree, to where the name stands that was found.
  private mutating func endSearch() {
    isTyping = false
    guard !rows.search.isEmpty else { return }
    let found = rows.rows.indices.contains(place) ? rows.rows[place].item : nil
    rows.search = ""
    place = found.flatMap { rows.reveal($0) } ?? 0
  }

  /// Opens what is under a row, or the tensor.
  private mutating func enter() {
    isTyping = false
    guard rows.rows.indices.contains(place) else { return }
    let row = rows.rows[place]
    if row.isFolder {
      if row.isOpen, row.item == nil { place += 1 } else { rows.set(place, isOpen: !row.isOpen) }
    }
    guard let item = row.item, !row.isFolder || row.isOpen else { return }
    do throws(CheckpointError) {
      view = try ValueView(items[item])
    } catch {
      message = "\(error)"
    }
  }

  /// Hides what is under a row, or goes to the one that it is under.
  private mutating func leave() {
    guard rows.rows.indices.contains(place) else { return }
    if rows.rows[place].isOpen {
      rows.set(place, isOpen: false)
    } else if let parent = rows.parent(of: place) {
      place = parent
    }
  }

  /// Goes to the next name that is not the same in both.
  private mutating func goToNextChange() {
    guard isPair else { return }
    let order = rows.allItems
    let own = rows.rows.indices.contains(place) ? rows.rows[place] : nil
    let under = Set(own.map { rows.items(of: $0) } ?? [])
    let first = order.firstIndex(where: under.contains) ?? 0
    let start = own?.isFolder == false ? first + 1 : first
    let later = order.indices.dropFirst(start).first { !items[order[$0]].isSame }
    guard let next = later ?? order.indices.first(where: { !items[order[$0]].isSame }) else {
      message = "nothing differs"
      return
    }
    rows.search = ""
    place = rows.reveal(order[next]) ?? place
  }

  // MARK: The screen

  /// What is shown: as many lines as there are, none longer than a line of the terminal.
  mutating func screen(_ size: FullScreen.Size) -> [String] {
    let width = max(1, size.width)
    let body = max(1, size.height - 2)
    page = max(1, body - 1)
    let middle: [String]
    if view != nil {
      middle = (view?.lines(width: width, height: body) ?? []).map { Self.cut($0, width) }
    } else {
      middle = list(width, body)
    }
    let head = Self.cut(title, width)
    let padding = [String](repeating: "", count: max(0, body - middle.count))
    let lines = [head] + middle.prefix(body) + padding + [footer(width)]
    return Array(lines.suffix(size.height))
  }

  private mutating func list(_ width: Int, _ height: Int) -> [String] {
    let all = rows.rows
    if all.isEmpty { return [rows.search.isEmpty ? "no tensors" : "no name has that"] }
    if place < top { top = place }
    if place >= top + height { top = place - height + 1 }
    top = max(0, min(top, all.count - height))
    return all.indices.dropFirst(top).prefix(height).map { index in
      let text = line(all[index], width - 2)
      return index == place ? styled("> " + text, .inverse) : "  " + text
    }
  }

  /// A row: its name at the left, and of what is known of it as much as there is place for at the right.
  private func line(_ row: NameRows.Row, _ width: Int) -> String {
    let sign = row.isFolder ? (row.isOpen ? "- " : "+ ") : "  "
    let name = String(repeating: "  ", count: row.depth) + sign + row.text
    let facts = facts(of: row)
    // The most telling facts are the last ones.
    for first in facts.indices {
      let right = facts[first...].joined(separator: "  ")
      if name.count + 2 + right.count <= width {
        return name + String(repeating: " ", count: width - name.count - right.count) + right
      }
    }
    return Self.cut(name, width)
  }

  private func facts(of row: NameRows.Row) -> [String] {
    let all = rows.items(of: row)
    let bytes = describe(bytes: all.reduce(0) { $0 + items[$1].byteCount })
    let size = String(repeating: " ", count: max(0, 8 - bytes.count)) + bytes
    guard let item = row.item.map({ items[$0] }), !row.isFolder else {
      let changed = all.count { !items[$0].isSame }
      let mark = isPair ? [changed == 0 ? "=" : "\(changed) differ"] : []
      return ["\(all.count)", size] + mark
    }
    return [item.dtype, describe(shape: item.shape), size] + (isPair ? [item.mark] : [])
  }

  private func footer(_ width: Int) -> String {
    if !message.isEmpty { return Self.cut(escaped(message), width) }
    if isTyping { return Self.cut("/" + rows.search + "_", width) }
    var keys: [String]
    if view != nil {
      keys = ["q back", "arrows move", "s statistics", "[ ] matrix"] + (isPair ? ["tab A B"] : [])
    } else {
      keys =
        ["q quit", "enter open", "/ search"] + (isPair ? ["n next change"] : [])
        + ["left close", "g G ends"]
    }
    if !rows.search.isEmpty, view == nil { keys.insert("esc \"\(rows.search)\"", at: 0) }
    while keys.joined(separator: "  ").count > width, keys.count > 1 { keys.removeLast() }
    return Self.cut(keys.joined(separator: "  "), width)
  }

  /// A text that is no longer than a line; of a longer one the end.
  private static func cut(_ text: String, _ width: Int) -> String {
    text.count <= width ? text : "…" + text.suffix(max(0, width - 1))
  }
}
