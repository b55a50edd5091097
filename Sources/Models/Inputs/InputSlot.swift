package import Kernels

/// An input that a model declares: its name, what it holds, its shape, and what is taken where it is not
/// given.
///
/// Declaring is checking: what `Architecture.prepare` accepts, the built-in probe, the samples that are
/// timed and the names that messages tell all follow from the declaration.
public struct InputSlot: Sendable {
  /// An extent of an input. Those of the same name are the same in all inputs of a model.
  public enum Axis: Hashable, Sendable {
    case batch
    /// How many pictures there are, where they are another number than texts.
    case pictures
    /// The choices of a question, which are merged with the batch; optional, the axis may be left out.
    case choices(isOptional: Bool)
    /// The length of the texts.
    case length
    /// How many samples a sound has: `first` become the first position, and `each` more another one.
    case samples(each: Int, first: Int)
    /// How many frames a sound has, of which `each` become a position.
    case frames(each: Int)
    /// The length of what a decoder beside an encoder reads.
    case decoderLength
    /// The length of what an encoder made of another text.
    case sourceLength
    /// How many patches of a picture are listed, padding included.
    case patches
    /// How many patches pictures have, usually as many as those of the config's size.
    case places(usual: Int)
    /// How many places of a text are predicted.
    case predictions
    /// The length of what is remembered of earlier texts.
    case memory
    case size(Int)
    /// How high a picture is in pixels, and how wide: at least so many, and usually as the config says.
    case height(least: Int, usual: Int)
    case width(least: Int, usual: Int)
  }

  /// What the elements are.
  package enum Content: Sendable {
    /// Whole numbers from 0 on.
    case ids(below: Int)
    /// Ids of kinds of text, in runs.
    case types(below: Int)
    /// Anything but 0 allows a position.
    case mask
    /// The position of each id, one row for all or one for each row.
    case positions(below: Int)
    /// For each text the place of one of its ids.
    case places
    /// For each text how many of its first ids are something.
    case lengths
    /// For each picture how many of its listed patches stand above each other, and side by side.
    case grids
    /// Numbers that need not be whole.
    case numbers
  }

  /// What is taken where the input is not given.
  package enum Absence: Sendable {
    /// It must be given.
    case fault
    /// Nothing, which the model understands.
    case nothing
    /// Zeros.
    case zeros
    /// 0, 1, 2, … as positions; the last place, as a place.
    case counted
    /// 0, 1, 2, … as positions of what a mask allows, and −1 as that of what it does not.
    case countedAmong(mask: String)
    /// As positions the number of a padding token for each of these, and for the other ids what follows it.
    case countedBehind(padToken: Int, ids: String)
    /// What is made of the other inputs; `nil` for the reason why that is not possible.
    case made(@Sendable (ModelInputs) -> NDArray<Int>?, otherwise: String)
  }

  /// The framework's name of it.
  public let name: String
  /// The extents.
  public let axes: [Axis]
  package let content: Content
  private(set) var absence: Absence
  /// Why there can be one row at most, if so.
  var onlyOneRow: String?
  /// How many ids a row may have, where no positions say it.
  var longest: Int?

  /// Ids `[batch, length]` that must be given.
  ///
  /// - Parameters:
  ///   - onlyOneRow: why there can be one row at most, if so.
  ///   - longest: how many a row may have, if no positions say it.
  package static func ids(
    _ name: String, below limit: Int, axes: [Axis] = [.batch, .length], onlyOneRow: String? = nil,
    longest: Int? = nil
  ) -> InputSlot {
    InputSlot(
      name: name, axes: axes, content: .ids(below: limit), absence: .fault, onlyOneRow: onlyOneRow,
      longest: longest)
  }

  /// Ids that are made of the other inputs where they are not given.
  package static func ids(
    _ name: String, below limit: Int, axes: [Axis] = [.batch, .length], longest: Int? = nil,
    otherwise reason: String, made: @escaping @Sendable (ModelInputs) -> NDArray<Int>?
  ) -> InputSlot {
    InputSlot(
      name: name, axes: axes, content: .ids(below: limit),
      absence: .made(made, otherwise: reason), longest: longest)
  }

  /// Ids that may be missing.
  package static func optionalIDs(_ name: String, below limit: Int) -> InputSlot {
    InputSlot(
      name: name, axes: [.batch, .length], content: .ids(below: limit), absence: .nothing)
  }

  /// Kinds of text, which are 0 where they are not given.
  package static func types(
    _ name: String, below limit: Int, axes: [Axis] = [.batch, .length]
  ) -> InputSlot {
    InputSlot(name: name, axes: axes, content: .types(below: limit), absence: .zeros)
  }

  /// A padding mask, which allows all where it is not given.
  package static func mask(
    _ name: String, over length: Axis = .length, batch: Axis = .batch
  ) -> InputSlot {
    InputSlot(name: name, axes: [batch, length], content: .mask, absence: .nothing)
  }

  /// A padding mask, which where it is not given allows all but a token of other ids, declared before.
  package static func mask(
    _ name: String, over length: Axis, hiding token: Int, of ids: String
  ) -> InputSlot {
    InputSlot(
      name: name, axes: [.batch, length], content: .mask,
      absence: .made(
        { inputs in
          guard let ids = inputs[ids], ids.elements.contains(token) else { return nil }
          return NDArray(shape: ids.shape, elements: ids.elements.map { $0 == token ? 0 : 1 })
        }, otherwise: ""))
  }

  /// Positions, which count from 0 on where they are not given.
  ///
  /// - Parameters:
  ///   - limit: how many the model has; `nil` if they have no end.
  ///   - mask: the mask, declared before, of which only what it allows is counted, and the rest has position −1.
  package static func positions(
    _ name: String, below limit: Int? = nil, among mask: String? = nil
  ) -> InputSlot {
    InputSlot(
      name: name, axes: [.batch, .length], content: .positions(below: limit ?? .max),
      absence: mask.map { .countedAmong(mask: $0) } ?? .counted)
  }

  /// Positions, which where they are not given count from the one behind that of the padding on, and leave
  /// padding out.
  ///
  /// - Parameters:
  ///   - limit: how many the model has, those that no text reaches included.
  ///   - padToken: the id of padding, and its position.
  ///   - ids: the input that is counted, declared before.
  package static func positions(
    _ name: String, below limit: Int, behind padToken: Int, of ids: String
  ) -> InputSlot {
    InputSlot(
      name: name, axes: [.batch, .length], content: .positions(below: limit),
      absence: .countedBehind(padToken: padToken, ids: ids))
  }

  /// For each text, choices included, a place in it: the last where none is given.
  package static func places(_ name: String) -> InputSlot {
    InputSlot(
      name: name, axes: [.batch, .choices(isOptional: true)], content: .places, absence: .counted)
  }

  /// For each text how many of its first ids are something: none where it is not given.
  package static func lengths(_ name: String) -> InputSlot {
    InputSlot(name: name, axes: [.batch], content: .lengths, absence: .zeros)
  }

  /// For each picture the rows and columns of the patches that are listed of it.
  package static func grids(_ name: String, batch: Axis) -> InputSlot {
    InputSlot(name: name, axes: [batch, .size(2)], content: .grids, absence: .fault)
  }

  /// Numbers that need not be whole, which must be given.
  package static func numbers(_ name: String, _ axes: [Axis]) -> InputSlot {
    InputSlot(name: name, axes: axes, content: .numbers, absence: .fault)
  }

  /// Numbers that may be missing.
  package static func optionalNumbers(_ name: String, _ axes: [Axis]) -> InputSlot {
    InputSlot(name: name, axes: axes, content: .numbers, absence: .nothing)
  }
}

extension InputSlot {
  /// What decoders that are not said what encoder they look at call its states, and
  package static let encoderStates = "encoder_hidden_states"
  /// the mask of what is no padding of its text.
  package static let encoderMask = "encoder_attention_mask"

  /// An encoder's states and their mask, for a decoder of that width that looks at them where they are given.
  package static func statesOfEncoder(width: Int) -> [InputSlot] {
    [
      .optionalNumbers(encoderStates, [.batch, .sourceLength, .size(width)]),
      .mask(encoderMask, over: .sourceLength),
    ]
  }

  /// The same input, which may be missing.
  package var optional: InputSlot {
    var slot = self
    slot.absence = .nothing
    return slot
  }

  /// The input of a model inside another one that has an encoder beside it, which reads inputs of the same names: all
  /// names begin with `prefix`, and its texts have a length of their own.
  package func ofDecoder(named prefix: String) -> InputSlot {
    InputSlot(
      name: prefix + name, axes: axes.map { $0 == .length ? .decoderLength : $0 },
      content: content, absence: absence.ofDecoder(named: prefix), onlyOneRow: onlyOneRow,
      longest: longest)
  }
}

extension InputSlot.Absence {
  fileprivate func ofDecoder(named prefix: String) -> InputSlot.Absence {
    switch self {
    case .fault, .nothing, .zeros, .counted: self
    case .countedAmong(let mask): .countedAmong(mask: prefix + mask)
    case .countedBehind(let padToken, let ids):
      .countedBehind(padToken: padToken, ids: prefix + ids)
    case .made(let make, let reason):
      .made({ make($0.ofDecoder(named: prefix)) }, otherwise: reason)
    }
  }
}

extension Architecture {
  /// How many ids an input may have the values of: the words of a vocabulary. `nil` if it has no ids.
  package func words(of input: String) -> Int? {
    guard case .ids(let limit)? = inputs.first(where: { $0.name == input })?.content else {
      return nil
    }
    return limit
  }
}

extension InputSlot {
  /// How long a text may be, if that has a limit.
  var positionLimit: Int? {
    if let longest { return longest }
    guard case .positions(let limit) = content, limit != .max else { return nil }
    guard case .countedBehind(let padToken, _) = absence else { return limit }
    return limit - padToken - 1
  }

  /// How many positions there are, those that no text reaches included, if it has positions and that has a limit.
  package var positionCount: Int? {
    guard case .positions(let limit) = content, limit != .max else { return nil }
    return limit
  }

  /// Whether other inputs of the same shape follow its extents.
  var leads: Bool {
    switch (content, absence) {
    case (.ids, .fault), (.ids, .made), (.numbers, _): true
    default: false
    }
  }

  /// Whether a model understands that it is not given.
  var mayBeMissing: Bool { if case .nothing = absence { true } else { false } }

  /// Whether a sound's frames are an axis, each with its numbers behind it.
  package var hasFrames: Bool {
    axes.contains { if case .frames = $0 { true } else { false } }
  }

  /// The shape in words: `[batch, length] or [batch, choices, length]`.
  public var shapeText: String {
    func text(_ axes: [Axis]) -> String {
      "[" + axes.map(\.text).joined(separator: ", ") + "]"
    }
    let isOptional = axes.contains(.choices(isOptional: true))
    let shorter = axes.filter { $0 != .choices(isOptional: true) }
    return isOptional ? text(shorter) + " or " + text(axes) : text(axes)
  }
}

extension InputSlot.Axis {
  /// Whether it is as large as the model says.
  var isSize: Bool { if case .size = self { true } else { false } }

  fileprivate var text: String {
    switch self {
    case .batch: "batch"
    case .pictures: "pictures"
    case .choices: "choices"
    case .length, .decoderLength, .sourceLength: "length"
    case .samples: "samples"
    case .frames: "frames"
    case .patches, .places: "patches"
    case .predictions: "predictions"
    case .memory: "memory"
    case .size(let size): "\(size)"
    case .height(let least, _): "height from \(least) on"
    case .width(let least, _): "width from \(least) on"
    }
  }
}
