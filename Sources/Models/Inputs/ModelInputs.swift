public import Kernels

/// The inputs of a model by the framework's names: `input_ids`, `attention_mask`, …
public struct ModelInputs: Sendable, Equatable {
  /// The arrays of whole numbers.
  public var arrays: [String: NDArray<Int>]
  /// The arrays of other numbers.
  public var numbers: [String: NDArray<Double>]
  /// The choices that were merged with the batch, 1 if there are none.
  public var choices = 1
  /// Whether there was an axis of choices.
  public var hasChoices = false
  /// The file that they were read from, as messages name it.
  public var file: String?

  /// Wraps arrays.
  public init(_ arrays: [String: NDArray<Int>], numbers: [String: NDArray<Double>] = [:]) {
    self.arrays = arrays
    self.numbers = numbers
  }

  /// Those whose names begin with `prefix`, without it.
  package func ofDecoder(named prefix: String) -> ModelInputs {
    func own<Value>(_ values: [String: Value]) -> [String: Value] {
      Dictionary(
        values.compactMap { name, value in
          name.hasPrefix(prefix) ? (String(name.dropFirst(prefix.count)), value) : nil
        }
      ) { first, _ in first }
    }
    var inputs = ModelInputs(own(arrays), numbers: own(numbers))
    inputs.file = file
    return inputs
  }

  /// The names of all inputs, sorted.
  public var names: [String] { (Array(arrays.keys) + numbers.keys).sorted() }

  /// The input of that name, if given, of whole numbers.
  public subscript(name: String) -> NDArray<Int>? {
    get { arrays[name] }
    set { arrays[name] = newValue }
  }

  /// The input of that name, which `Architecture.prepare` has filled in.
  package func required(_ name: String) -> NDArray<Int> {
    guard let array = arrays[name] else { preconditionFailure("\(name) was not prepared") }
    return array
  }

  /// The numbers of that name, which `Architecture.prepare` has checked, in the type of the forward pass.
  package func numbers<Scalar: ComputeScalar>(_ name: String, as _: Scalar.Type) -> NDArray<Scalar>
  {
    guard let array = numbers[name] else { preconditionFailure("\(name) was not prepared") }
    return NDArray(shape: array.shape, elements: array.elements.map { Scalar($0) })
  }

  /// The numbers of that name, in the type of the forward pass; `nil` if they are not given.
  package func optionalNumbers<Scalar: ComputeScalar>(
    _ name: String, as type: Scalar.Type
  ) -> NDArray<Scalar>? {
    self.numbers[name] == nil ? nil : numbers(name, as: type)
  }

  /// A padding mask: anything but zero allows. `nil` if it is not given, which allows all.
  package func mask(_ name: String) -> NDArray<Bool>? {
    arrays[name].map { NDArray(shape: $0.shape, elements: $0.elements.map { $0 != 0 }) }
  }

  /// `[batch × choices, …]` as `[batch, choices, …]`, if there are choices.
  package func separatingChoices<Scalar: ComputeScalar>(_ x: NDArray<Scalar>) -> NDArray<Scalar> {
    guard hasChoices else { return x }
    return x.reshaped([x.shape[0] / choices, choices] + x.shape.dropFirst())
  }
}
