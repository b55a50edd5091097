import CommandSupport
import TensorCore

extension ElementValue {
  /// The value for people, all its digits.
  var text: String {
    switch self {
    case .bool(let value): value == 0 ? "false" : "true"
    case .integer(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .single(let value): "\(value)"
    case .real(let value): "\(value)"
    case .complex(let real, let imaginary):
      "\(real)\(imaginary.sign == .minus ? "-" : "+")\(imaginary.magnitude)i"
    }
  }

  /// The value for people, a few digits; integers have all of theirs.
  var shortText: String {
    switch self {
    case .single(let value): describe(number: Double(value))
    case .real(let value): describe(number: value)
    case .complex(let real, let imaginary):
      describe(number: real) + (imaginary.sign == .minus ? "-" : "+")
        + describe(number: imaginary.magnitude) + "i"
    default: text
    }
  }

  /// The value in JSON; a complex number is an array of two.
  var json: JSONValue {
    switch self {
    case .bool(let value): .bool(value != 0)
    case .integer(let value): .int(value)
    case .unsigned(let value): .uint(value)
    case .single(let value): .number(Double(value))
    case .real(let value): .number(value)
    case .complex(let real, let imaginary): [.number(real), .number(imaginary)]
    }
  }
}

extension [Int] {
  /// A shape, or an index, in JSON.
  var json: JSONValue { .array(map { .number($0) }) }
}
