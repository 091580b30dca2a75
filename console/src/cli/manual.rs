//! `mercer manual`: every command and every key, in Markdown, made from the same tables that run them.

use mercer_shared::problem::{Code, exit};

use super::out::{Done, Out, Stop};

/// Columns of the help texts: the manual does not depend on the terminal.
const WIDTH: usize = 100;

/// Prints the manual.
pub(crate) fn run(program: clap::Command, out: &mut Out) -> Done {
    let mut program = program.term_width(WIDTH);
    program.build();
    out.line("<!-- Made from the code by `mercer manual`: change it there. -->\n\n# mercer\n")?;
    command(&mut program, true, out)?;
    out.line("## Exit codes and errors\n")?;
    out.line("| code | exit | meaning | hint |\n|---|---|---|---|")?;
    for code in Code::ALL {
        out.line(format!("| `{code}` | {} | {} | {} |", code.exit(), code.title(), code.hint()))?;
    }
    out.line("\n## Console\n")?;
    out.line(crate::tui::manual().trim_end())?;
    Ok(exit::OK)
}

/// One command and those below it. The options of every command are explained once, at the top.
fn command(this: &mut clap::Command, top: bool, out: &mut Out) -> Result<(), Stop> {
    let name = this.get_bin_name().unwrap_or_else(|| this.get_name()).to_owned();
    let mut shown = this.clone().mut_args(|arg| {
        let everywhere = arg.is_global_set() || arg.get_id() == "help";
        arg.hide(everywhere && !top)
    });
    out.line(format!("## {name}\n\n```text\n{}\n```\n", shown.render_long_help().to_string().trim_end()))?;
    let below: Vec<String> =
        this.get_subcommands().map(|sub| sub.get_name().to_owned()).filter(|name| name != "help").collect();
    for name in below {
        if let Some(sub) = this.find_subcommand_mut(&name) {
            command(sub, false, out)?;
        }
    }
    Ok(())
}
