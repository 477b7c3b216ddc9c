#include "client/completion.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace espalier::client {
namespace {

// "--help -h".
std::string FlagsOf(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return absl::StrJoin(flags, " ");
}

// "a b" where an option's type is "TEXT:{a,b}"; empty where it takes any value.
std::string ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return "";
  return absl::StrReplaceAll(type.substr(open + 1, close - open - 1), {{",", " "}});
}

// A line of the case statement over "command:previous word" for each option that takes a value.
void AppendValues(const CLI::App& command, std::string& script) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_items_expected_max() == 0 || option->get_lnames().empty()) continue;
    const std::string values = ValuesOf(*option);
    const std::string reply =
        values.empty() ? "" : absl::StrCat("COMPREPLY=($(compgen -W '", values, "' -- \"$word\")); ");
    absl::StrAppend(&script, "    ", command.get_name(), ":--", option->get_lnames().front(), ") ", reply,
                    "return ;;\n");
  }
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::vector<std::string> names;
  std::string values, flags;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
    AppendValues(*command, values);
    absl::StrAppend(&flags, "    ", command->get_name(), ") words='", FlagsOf(*command), "' ;;\n");
  }
  return absl::StrCat(
      "# bash completion of espalier: source <(espalier completion bash)\n"
      "_espalier() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= words= i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n    ",
      absl::StrJoin(names, "|"),
      ") command=${COMP_WORDS[i]}; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case $command:$previous in\n",
      values,
      "  esac\n"
      "  case $command in\n"
      "    '') COMPREPLY=($(compgen -W '",
      absl::StrJoin(names, " "), " ", FlagsOf(app), "' -- \"$word\")); return ;;\n", flags,
      "  esac\n"
      "  [[ $word == -* ]] && COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o default -F _espalier espalier\n");
}

}  // namespace espalier::client
