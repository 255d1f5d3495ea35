import type { Place } from './place.ts';

/**
 * What has Windows start Huddle at boot. Not `sc.exe`: that wants a program that answers the service manager, which Node
 * does not; and not `schtasks`, whose tasks end after three days.
 */
export function windowsTask({ node, command, args, listening }: Place): string {
  const line = [command, ...args, ...listening].map(argument).join(' ');
  return `# In PowerShell, as administrator. Huddle then runs from boot on, as the SYSTEM user (the user's own git and ssh
# settings do not apply to it), and is started again when it fails. Correct the paths where that machine has others.
$action = New-ScheduledTaskAction -Execute ${literal(node)} -Argument ${literal(line)}
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
Register-ScheduledTask -TaskName Huddle -Trigger (New-ScheduledTaskTrigger -AtStartup) -Action $action -Settings $settings -User SYSTEM -RunLevel Highest
Start-ScheduledTask -TaskName Huddle
`;
}

/** As programs of Windows read their command line: backslashes count only before a quote. */
function argument(text: string): string {
  return /^[^\s"]+$/.test(text) ? text : `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`;
}

/** A PowerShell string in which nothing is expanded. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
