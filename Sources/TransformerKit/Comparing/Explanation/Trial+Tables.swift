import Models
import TensorCore

extension Modules {
  /// A head that should have been the embedding's matrix.
  var tieTrials: [Trial] {
    graph.slots.compactMap { slot in
      guard let tie = slot.tie, graph.ties[slot.path] == nil, paths.contains(tie) else {
        return nil
      }
      return Trial(place: slot.path, mistake: "should be tied to \(tie)", paths: [slot.path]) {
        graph throws(CheckpointError) in
        guard let tensor = graph.tensor(at: tie), tensor.shape == slot.shape else {
          return nil
        }
        return graph.replacing([slot.path: tensor])
      }
    }
  }

  /// Rows of embedding tables in the wrong place.
  var tableTrials: [Trial] {
    var trials: [Trial] = []
    for slot in graph.slots where slot.role == .embedding && slot.shape.count == 2 {
      let count = slot.shape[0]
      for offset in [1, -1, 2, -2] where count > abs(offset) {
        let mistake = "rows moved by \(abs(offset)) \(offset < 0 ? "down" : "up")"
        trials.append(
          Trial(place: slot.path, mistake: mistake, paths: [slot.path]) {
            graph throws(CheckpointError) in
            try edited(graph, [slot.path]) { tensor throws(CheckpointError) in
              try tensor.reordered(axis: 0) { ($0 - offset + count) % count }
            }
          })
      }
    }
    return trials
  }

  /// Layers in the wrong order: as their numbers sort as text, or two neighbours exchanged.
  var orderTrials: [Trial] {
    groups.filter { $0.name.hasSuffix(".blocks.*") && $0.stems.count > 1 }.flatMap { group in
      let count = group.stems.count
      let prefix = String(group.name.dropLast())
      let byText = (0..<count).map(String.init).sorted().compactMap { Int($0) }
      func trial(_ text: String, _ order: [Int]) -> Trial {
        let moved = group.stems.filter { stem in
          Int(stem.dropFirst(prefix.count)).map { order[$0] != $0 } ?? false
        }
        let affected = paths.filter { path in moved.contains { path.hasPrefix($0 + ".") } }
        return Trial(place: group.name, mistake: text, paths: Array(affected)) {
          graph throws(CheckpointError) in
          relayered(graph, prefix: prefix, order: order)
        }
      }
      var trials = [
        trial("layers in the order of their numbers as text", byText.inverted),
        trial("layers in reverse order", Array((0..<count).reversed())),
      ]
      for (first, second) in pairs(of: count) {
        var order = Array(0..<count)
        order.swapAt(first, second)
        trials.append(trial("layers \(first) and \(second) exchanged", order))
      }
      return trials
    }
  }

  /// All pairs of a few layers, neighbours of many.
  private func pairs(of count: Int) -> [(Int, Int)] {
    (0..<count).flatMap { first in
      (first + 1..<max(first + 1, count <= 12 ? count : min(first + 2, count)))
        .map { (first, $0) }
    }
  }
}
