import Kernels

/// Up to where a text must go before something new happens to it: what mistakes there are beyond that, shorter
/// texts do not show.
public struct Reach: Sendable, Equatable {
  /// The number of keys that a query sees at most, in the layer of the longest window; 0 if all see all.
  public var keys = 0
  /// The largest position up to which queries and keys are turned and scaled as at first; 0 if they always are.
  public var positions = 0

  /// Nothing new anywhere, unless told otherwise.
  public init(keys: Int = 0, positions: Int = 0) {
    (self.keys, self.positions) = (keys, positions)
  }

  /// What goes as far as both.
  public func joined(_ other: Reach) -> Reach {
    Reach(keys: max(keys, other.keys), positions: max(positions, other.positions))
  }
}

/// The longest text that is computed to get beyond a window.
private let mostLength = 4096 + 32

extension Architecture {
  /// A text that goes beyond what the built-in probe reaches: in length beyond windows, unless that takes more
  /// than 4096 positions; and in positions, of which texts need not begin at 0, beyond lengths of
  /// training. `nil` if the probe reaches as far.
  public func farProbe(_ reach: Reach) -> ModelInputs? {
    let limits = inputs.compactMap { slot -> (name: String, limit: Int)? in
      guard case .positions(let limit) = slot.content else { return nil }
      return (slot.name, limit)
    }
    let free = limits.filter { $0.limit == .max }.map(\.name)
    let isLonger = (usualProbeLength...mostLength - 16).contains(reach.keys)
    let isFarther = reach.positions >= usualProbeLength && !free.isEmpty
    let length = isLonger ? reach.keys + 16 : 64
    guard isLonger || isFarther, limits.allSatisfy({ $0.limit >= length }) else { return nil }
    var probe = completing(sample(batch: 1, length: length, decoderLength: length))
    if isFarther {
      let first = max(0, reach.positions - length / 2)
      let places = NDArray(shape: [1, length], elements: Array(first..<first + length))
      for name in free { probe[name] = places }
    }
    return probe
  }
}
