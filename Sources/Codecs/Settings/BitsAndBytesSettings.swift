import TensorCore

extension CodingSettings {
  mutating func checkBitsAndBytes() {
    let isFour = settings["load_in_4bit"]?.bool ?? settings["_load_in_4bit"]?.bool
    let isEight = settings["load_in_8bit"]?.bool ?? settings["_load_in_8bit"]?.bool
    if isFour == isEight, let isFour {
      add(nil, "load_in_4bit and load_in_8bit are both \(isFour)")
    }
    let kind = settings["bnb_4bit_quant_type"]?.string
    let isNested = settings["bnb_4bit_use_double_quant"]?.bool
    for tensor in table.tensors {
      let name = tensor.name.text
      if name.hasSuffix(".SCB"), isFour == true, isEight != true {
        add(tensor, "is there, as 8 bits have it, and load_in_4bit is true")
      } else if let range = name.firstRange(of: ".quant_state.bitsandbytes__") {
        let own = name[range.upperBound...]
        if isEight == true, isFour != true {
          add(tensor, "is there, as 4 bits have it, and load_in_8bit is true")
        } else if let kind, kind != own {
          add(tensor, "is of \(own), and bnb_4bit_quant_type is \(escaped(kind))")
        }
        let nested = table[TensorName(name[..<range.lowerBound] + ".nested_absmax")] != nil
        if let isNested, isNested != nested, isFour != false {
          add(
            tensor,
            "has \(nested ? "" : "no ")nested_absmax beside it, and bnb_4bit_use_double_quant is \(isNested)"
          )
        }
      }
    }
  }
}
