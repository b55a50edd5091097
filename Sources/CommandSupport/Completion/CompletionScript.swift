/// What makes a shell ask a command for completions.
enum CompletionScript {
  /// The script for a shell; `nil` if there is none.
  static func text(_ shell: String, _ command: String) -> String? {
    switch shell {
    case "bash": bash.replacing("COMMAND", with: command)
    case "zsh": zsh.replacing("COMMAND", with: command)
    case "fish": fish.replacing("COMMAND", with: command)
    default: nil
    }
  }

  /// bash before 4.0, as on macOS, has no compopt; names of files then come from compgen.
  private static let bash = #"""
    # Completions of COMMAND for bash.
    _COMMAND() {
        local line kind=
        COMPREPLY=()
        while IFS= read -r line; do
            if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
        done < <("$1" ---complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
        if [[ $kind == files ]]; then
            if ((${#COMPREPLY[@]} == 0)) && compopt -o default 2>/dev/null; then return; fi
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
        fi
    }
    complete -F _COMMAND COMMAND
    """#

  private static let zsh = #"""
    #compdef COMMAND
    # Completions of COMMAND for zsh.
    _COMMAND() {
        local -a answer items
        local line
        answer=("${(@f)$(${~words[1]} ---complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
        for line in "${(@)answer[2,-1]}"; do
            items+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        done
        (( $#items )) && _describe -V COMMAND items
        if [[ $answer[1] == files ]]; then
            compset -P '--*='
            _files
        fi
    }
    if [[ $funcstack[1] == _COMMAND ]]; then
        _COMMAND "$@"
    else
        compdef _COMMAND COMMAND
    fi
    """#

  private static let fish = #"""
    # Completions of COMMAND for fish.
    function __COMMAND_complete
        set -l words (commandline -opc)
        set -l current (commandline -ct)
        set -l program $words[1]
        set -e words[1]
        set -l answer (command $program ---complete fish $words "$current" 2>/dev/null)
        set -l kind $answer[1]
        set -e answer[1]
        printf '%s\n' $answer
        if test "$kind" = files
            set -l option (string match -r -- '^--[^=]*=' $current)
            for file in (__fish_complete_path (string replace -- "$option" '' $current))
                printf '%s%s\n' "$option" $file
            end
        end
    end
    complete -c COMMAND -f -k -a '(__COMMAND_complete)'
    """#
}
