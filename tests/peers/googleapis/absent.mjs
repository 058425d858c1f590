// What Google does and the sandbox does not, each with the reason. The run fails when one of these holds after all.
export const ABSENT = new Map([
  ['a guest who has a calendar here gets a copy', 'each calendar belongs to one person; guests are only recorded'],
  ['who is given a calendar by a rule can read it', 'rules are kept and listed; nobody else\'s view follows from them'],
]);
