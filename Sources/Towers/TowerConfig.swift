import Models
import TensorCore

/// What a model of two towers is used for: its class.
struct TowersHead: Equatable {
  /// The class.
  var name: String
  /// Whether it classifies pictures, and has no encoder of texts.
  var classifies: Bool
}

extension ConfigReader {
  /// The class: both towers, or the encoder of pictures below a classifier.
  mutating func towersHead(_ prefix: String, isStored: (String) -> Bool) -> TowersHead {
    let both = TowersHead(name: prefix + "Model", classifies: false)
    let classifier = TowersHead(name: prefix + "ForImageClassification", classifies: true)
    return head([both, classifier].map { ($0.name, $0) }) {
      isStored("vision.classifier.weight") ? classifier : both
    }
  }

  /// Reads a tower's part of a config, `text_config` or `vision_config`; or `text_config_dict`, which replaces it where
  /// old files have it (transformers' `__post_init__` of such configs).
  ///
  /// - Parameter isRead: whether outputs depend on it.
  mutating func tower<Form>(
    _ tower: String, isRead: Bool, _ read: (inout ConfigReader) -> Form
  ) -> Form? {
    let key = towerKey(tower)
    return isRead ? self.tower(tower, in: key, read) : nil
  }

  /// The same of a tower that is always there.
  mutating func tower<Form>(_ tower: String, _ read: (inout ConfigReader) -> Form) -> Form {
    self.tower(tower, in: towerKey(tower), read)
  }

  private mutating func towerKey(_ tower: String) -> String {
    let (usual, older) = ("\(tower)_config", "\(tower)_config_dict")
    let key = has(older) ? older : usual
    disregard([usual, older])
    return key
  }

  private mutating func tower<Form>(
    _ tower: String, in key: String, _ read: (inout ConfigReader) -> Form
  ) -> Form {
    withinModel(key, named: tower) { reader in
      // What old files have of all settings that there are.
      reader.disregard([
        "add_cross_attention", "cross_attention_hidden_size", "id2label", "initializer_factor",
        "dropout", "is_decoder", "num_labels", "pruned_heads", "tie_encoder_decoder",
        "tie_word_embeddings",
      ])
      return read(&reader)
    }
  }
}
